// One thing done with the AI SDK: node ai_sdk.mjs PROVIDER WHAT MODEL; the last line it prints is the outcome as JSON.
import { generateObject, generateText, Output, stepCountIs, streamObject, streamText, tool } from "ai";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { z } from "zod";

const [provider, what, name] = process.argv.slice(2);
const where = { baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY };
const model = {
  "openai-compatible": () =>
    createOpenAICompatible({ name: "iamine", includeUsage: true, supportsStructuredOutputs: true, ...where })(name),
  openai: () => createOpenAI(where)(name), // it speaks the Responses API
  anthropic: () => createAnthropic(where)(name),
}[provider]();

const weather = tool({
  description: "The weather in a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `${city}: sunny, 21 degrees`,
});
const settings = { model, maxRetries: 0 };
const count = { ...settings, prompt: "count from 3 to 12" };
const ask = { ...settings, prompt: "What is the weather in Paris?", tools: { weather }, stopWhen: stepCountIs(4) };
const person = { ...settings, prompt: "Jason is 25 years old", schema: z.object({ name: z.string(), age: z.number() }) };
const onError = ({ error }) => {
  throw error;
};

const told = await {
  text: async () => (await generateText(count)).text,
  stream: async () => streamText({ ...count, onError }).text,
  tool: async () => (await generateText(ask)).text,
  "tool-stream": async () => streamText({ ...ask, onError }).text,
  object: async () => (await generateObject(person)).object,
  "object-stream": async () => {
    const streamed = streamObject({ ...person, onError });
    let last;
    for await (last of streamed.partialObjectStream); // nothing comes unless somebody reads
    return last;
  },
  "object-tool": async () => {
    const settled = await generateText({ ...ask, prompt: person.prompt, output: Output.object({ schema: person.schema }) });
    return settled.output;
  },
}[what]();
console.log(JSON.stringify(told));
