/** The server's catalogue of errors in one language, made from `service/errors.json` when the page is built. */
declare module "virtual:errors/ko" {
  const texts: Record<string, { title: string; hint: string }>;
  export default texts;
}
declare module "virtual:errors/en" {
  const texts: Record<string, { title: string; hint: string }>;
  export default texts;
}
