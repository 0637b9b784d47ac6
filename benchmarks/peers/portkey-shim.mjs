// Portkey 1.15.2 on Node 20 answers every streamed chat with 500 ("TypeError: immutable", Portkey-AI/gateway #1389 and #1550):
// it adds to the headers of what fetch() returned. With this preload it gets a response whose headers can be changed.
const original = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const { body, status, statusText, headers } = await original(...request);
  return new Response(body, { status, statusText, headers: new Headers(headers) });
};
process.on("SIGTERM", () => process.exit(0));
