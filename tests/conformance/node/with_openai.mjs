// OpenAI's package for Node.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { ask, baseURL, declare, keys, raised, report } from "./report.mjs";

const tools = [
  {
    type: "function",
    function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
  },
];
const Weather = z.object({ city: z.string(), degrees: z.number() });

const client = new OpenAI({ baseURL, apiKey: keys.plain, maxRetries: 0 });
const chats = client.chat.completions;

function chat(script, fields = {}) {
  return chats.create({ model: "small", messages: ask(script), ...fields });
}

async function textOf(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

const called = (message) => message.tool_calls.map((call) => [call.id, call.function.name, call.function.arguments]);

declare("buffered", async () => {
  const said = await chat("hello");
  return [said.choices[0].message.content, said.choices[0].finish_reason, said.usage.completion_tokens];
});
declare("streamed", async () => textOf(await chat("hello", { stream: true })));
declare("same_text_whatever_the_characters", async () => textOf(await chat("hard", { stream: true })));
declare("streamed_with_usage", async () => {
  const usages = [];
  const stream = await chat("hello", { stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) usages.push(chunk.usage?.completion_tokens ?? null);
  return [usages.filter((tokens) => tokens !== null), usages.at(-1)];
});
declare("stream_helper", async () => {
  const runner = chats.stream({ model: "small", messages: ask("tools"), tools });
  return called((await runner.finalChatCompletion()).choices[0].message);
});
declare("tools", async () => called((await chat("tools", { tools })).choices[0].message));
declare("tool_round", async () => {
  const { message } = (await chat("tools", { tools })).choices[0];
  const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "21" }));
  const messages = [...ask("tools"), message, ...results, ...ask("hello")];
  return (await chats.create({ model: "small", messages, tools })).choices[0].message.content;
});
declare("parsed", async () => {
  const response_format = zodResponseFormat(Weather, "weather");
  const said = await chats.parse({ model: "small", messages: ask("json"), response_format });
  return said.choices[0].message.parsed;
});
declare("request_id", async () => {
  const { data, request_id } = await chat("hello").withResponse();
  return [request_id.startsWith("req_"), data._request_id === request_id];
});
declare("models", async () => {
  const found = [];
  for await (const model of client.models.list()) found.push(model.id);
  return found.filter((id) => ["hasty", "small", "tiny"].includes(id)).sort();
});
declare("unauthenticated", () => raised(() => new OpenAI({ baseURL, apiKey: keys.wrong }).models.list()));
declare("unknown_model", () => raised(() => chat("hello", { model: "absent" })));
declare("backend_down", () => raised(() => chat("down")));
declare("stream_breaks", () => raised(async () => textOf(await chat("reset-late", { stream: true }))));
declare("retried", async () => {
  const asked = { model: "small", messages: ask("hiccup", "hiccup") };
  return (await chats.create(asked, { maxRetries: 2 })).choices[0].message.content;
});

await report();
