// What build.mjs makes of ../../locale: language, key, sentence.
declare module "locale:sentences" {
  const files: Record<string, Record<string, string>>;
  export default files;
}
