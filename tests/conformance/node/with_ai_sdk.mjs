// Vercel's AI SDK, by its providers: for whatever speaks OpenAI's API, for OpenAI (Responses API) and for Anthropic.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { ask, baseURL, declare, keys, raised, report } from "./report.mjs";

const provider = createOpenAICompatible({
  name: "tollgate",
  baseURL,
  apiKey: keys.plain,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const weather = tool({ description: "The weather of a city.", inputSchema: z.object({ city: z.string() }) });
const answering = tool({ ...weather, execute: async ({ city }) => `21 in ${city}` });

function asked(script, fields = {}) {
  return { model: provider("small"), messages: ask(script), maxRetries: 0, ...fields };
}

const called = (calls) => calls.map((call) => [call.toolCallId, call.toolName, call.input]);

declare("generated", async () => {
  const said = await generateText(asked("hello"));
  return [said.text, said.finishReason, said.usage.outputTokens];
});
declare("streamed", async () => {
  const said = streamText(asked("hello"));
  let text = "";
  for await (const piece of said.textStream) text += piece;
  return [text, await said.finishReason, (await said.usage).outputTokens];
});
declare("same_text_whatever_the_characters", async () => streamText(asked("hard")).text);
declare("tools", async () => called((await generateText(asked("tools", { tools: { weather } }))).toolCalls));
declare("streamed_tools", async () => called(await streamText(asked("tools", { tools: { weather } })).toolCalls));
declare("tool_round", async () => {
  const said = await generateText(asked("tools", { tools: { weather: answering }, stopWhen: stepCountIs(2) }));
  return [said.steps.length, said.text];
});
declare("reasoning", async () => {
  const said = await generateText(asked("reason"));
  return [said.reasoningText, said.text];
});
declare("structured", async () => {
  const output = Output.object({ schema: z.object({ city: z.string(), degrees: z.number() }) });
  return (await generateText(asked("json", { output }))).output;
});
for (const [name, make] of Object.entries({ openai: createOpenAI, anthropic: createAnthropic })) {
  const model = make({ baseURL, apiKey: keys.plain })("small");
  const fields = { tools: { weather } };
  declare(`${name}_generated`, async () => (await generateText(asked("hello", { model }))).text);
  declare(`${name}_streamed`, async () => streamText(asked("hello", { model })).text);
  declare(`${name}_tools`, async () => called((await generateText(asked("tools", { model, ...fields }))).toolCalls));
  declare(`${name}_streamed_tools`, async () => called(await streamText(asked("tools", { model, ...fields })).toolCalls));
}
declare("unknown_model", () => raised(() => generateText({ ...asked("hello"), model: provider("absent") })));
declare("stream_breaks", async () => {
  const errors = [];
  const said = streamText(asked("reset-late", { onError: ({ error }) => errors.push(error) }));
  let text = "";
  for await (const piece of said.textStream) text += piece;
  return [text, errors.length];
});
declare("retried", async () => {
  const patient = asked("hiccup", { messages: ask("hiccup", "hiccup"), maxRetries: 2 });
  return (await generateText(patient)).text;
});
declare("not_retried", async () => {
  const error = await generateText({ ...asked("hello"), model: provider("absent"), maxRetries: 2 }).catch((e) => e);
  return APICallError.isInstance(error) && !error.isRetryable;
});

await report();
