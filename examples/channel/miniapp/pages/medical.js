// Counts down the seconds of the code on the page of the medical e-credential, and takes
// the code away at the end. Without this script the page says until when the code is
// good, and its button draws another; the server refuses an old code either way. A screen
// reader is told twice: ten seconds before the end, and at the end.
(function () {
  "use strict";
  var box = document.querySelector("[data-left]");
  if (!box) {
    return;
  }
  var line = box.querySelector("[data-zh]");
  var over = document.querySelector("[data-over]");
  var said = document.querySelector("[role=status]");
  // The server says how many seconds are left: the phone's clock may be wrong.
  var end = Date.now() + Number(box.getAttribute("data-left")) * 1000;
  var told = false;
  var timer = setInterval(tick, 500);

  function tick() {
    var left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) {
      clearInterval(timer);
      box.hidden = true;
      over.hidden = false;
      over.parentNode.setAttribute("data-medical", "over");
      said.textContent = over.textContent;
      return;
    }
    var spans = line.querySelectorAll("span");
    spans[0].textContent = line.getAttribute("data-zh").replace("{seconds}", left);
    spans[1].textContent = line.getAttribute("data-en").replace("{seconds}", left);
    line.hidden = false;
    if (left <= 10 && !told) {
      told = true;
      said.textContent = line.textContent;
    }
  }

  tick();
})();
