// Begins the ceremony as soon as its page is really looked at, and offers more
// time before it ends, and counts until a code can be sent again. Pages work without this script: each has a plain form.
(function () {
  "use strict";

  var WARN = 120000; // milliseconds before the end that more time is offered
  var AGAIN = 2000;  // before a begin that got no answer is tried once more

  function post(form) {
    return fetch(form.action, {
      method: "POST",
      credentials: "same-origin",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    });
  }

  function seen() {
    return document.visibilityState !== "hidden" && !document.prerendering;
  }

  function whenSeen(act) {
    if (seen()) return act();
    document.addEventListener("visibilitychange", function once() {
      if (!seen()) return;
      document.removeEventListener("visibilitychange", once);
      act();
    });
  }

  function begin(form, tries) {
    post(form).then(
      function (answer) {
        // 409: cookies are blocked, so the form itself has to go.
        if (answer.status === 204) location.replace(form.getAttribute("data-next"));
        else if (answer.status === 409) form.submit();
      },
      function () {
        if (tries > 0) setTimeout(begin, AGAIN, form, tries - 1);
      }
    );
  }

  function watch(box) {
    var form = box.querySelector("form");
    var timers = [];
    function set(expires, now) {
      var left = expires - now;
      timers.forEach(clearTimeout);
      timers = [
        setTimeout(function () { box.hidden = false; }, Math.max(left - WARN, 0)),
        setTimeout(function () { location.replace(box.getAttribute("data-next")); }, left + 1000),
      ];
    }
    set(Date.parse(box.getAttribute("data-expires")), Date.parse(box.getAttribute("data-now")));
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      post(form).then(function (answer) { return answer.ok ? answer.json() : Promise.reject(); }).then(
        function (given) {
          box.hidden = true;
          // At the most there is, no more is offered.
          form.hidden = Date.parse(given.expires) - Date.parse(given.now) <= WARN;
          set(Date.parse(given.expires), Date.parse(given.now));
        }
      ).catch(function () { form.submit(); });
    });
  }

  // A new code can be sent after a while: until then the button counts down.
  // The phone's clock may be wrong, so only the server's two are compared.
  function wait(button) {
    var says = button.textContent;
    var end = Date.now() + Date.parse(button.getAttribute("data-ready")) - Date.parse(button.getAttribute("data-now"));
    function tick() {
      var left = Math.ceil((end - Date.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? button.getAttribute("data-wait").replace("{n}", left) : says;
      if (left > 0) setTimeout(tick, 1000);
    }
    tick();
  }

  // Back from the channel, a browser may show the page as it was left. Only
  // the server knows what has become of the ceremony, so ask it. A page that
  // was the answer to a post would be posted again, so that one stays.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted && navigator.onLine !== false && !document.querySelector("input[name=hand]")) location.reload();
  });

  var begins = document.querySelector("form[data-begin]");
  var expiry = document.querySelector("[data-expires]");
  Array.prototype.forEach.call(document.querySelectorAll("button[data-ready]"), wait);
  if (begins && window.fetch) whenSeen(function () { begin(begins, 1); });
  if (expiry && window.fetch) watch(expiry);
})();
