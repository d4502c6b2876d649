// The official npm client of OpenAI, driven once through what its users do. Prints one JSON object: what it got.
import OpenAI from "openai";

const [baseURL, apiKey, name] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 20000 });
const text = `My name is ${name}, call 312-555-0188.`;
const messages = [{ role: "user", content: text }];
const parameters = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
const model = "default";

async function failure(promise) {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code };
  }
}

const got = {};
const whole = await client.chat.completions.create({ model, messages });
got.whole = { text: whole.choices[0].message.content, tokens: whole.usage.total_tokens };

let streamed = "";
let usage = null;
const stream = await client.chat.completions.create({
  model, messages, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
got.streamed = { text: streamed, tokens: usage.total_tokens };

const tools = [{ type: "function", function: { name: "weather", parameters, strict: true } }];
const runner = client.chat.completions.stream({ model, messages, tools });
const called = (await runner.finalChatCompletion()).choices[0].message.tool_calls[0];
got.tool = { name: called.function.name, given: JSON.parse(called.function.arguments) };

const format = { type: "json_schema", json_schema: { name: "weather", schema: parameters, strict: true } };
const structured = await client.chat.completions.create({ model, messages, response_format: format });
got.structured = JSON.parse(structured.choices[0].message.content);

// Without encoding_format the client asks for base64 and decodes it.
const embedded = await client.embeddings.create({ model, input: ["no pain", "mild pain"] });
got.embeddings = embedded.data.map((row) => Array.from(row.embedding));

const response = await client.responses.create({ model, input: text });
got.response = { text: response.output_text, status: response.status };
const events = [];
for await (const event of await client.responses.create({ model, input: text, stream: true })) {
  events.push(event.type);
  if (event.type === "response.completed") got.responseStreamed = event.response.output[0].content[0].text;
}
got.events = [events[0], events.at(-1)];

got.models = (await client.models.list()).data.map((one) => one.id);
got.wrongKey = await failure(client.withOptions({ apiKey: "cp-wrong" }).chat.completions.create({ model, messages }));
got.wrongModel = await failure(client.chat.completions.create({ model: "none", messages }));
got.wrongField = await failure(client.chat.completions.create({ model, messages, n: 2 }));

const waiting = await client.chat.completions.create({
  model, messages: [{ role: "user", content: "wait for ever" + " and so on, for some time,".repeat(20) }], stream: true,
});
for await (const chunk of waiting) {
  if (chunk.choices[0]?.delta?.content) break; // leaving the loop ends the request
}
console.log(JSON.stringify(got));
