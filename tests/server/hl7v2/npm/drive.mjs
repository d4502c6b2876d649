// Drives MLLP peers of Node. "send PORT": each client sends two messages to a listener, and prints the answers as one
// JSON object. "listen": each server listens, prints its port, and answers AA until standard input ends.
import { createRequire } from "node:module";
import { Hl7Message } from "@medplum/core";
import { Hl7Client, Hl7Server } from "@medplum/hl7";
import { Client } from "node-hl7-client";

const simple = createRequire(import.meta.url)("simple-hl7");
const [mode, port] = process.argv.slice(2);

function text(client, number) {
  return [
    `MSH|^~\\&|${client}|NODE|CARE|HUB|20260101120000||ADT^A04^ADT_A01|${client}-${number}|P|2.5.1`,
    "EVN|A04|20260101120000",
    `PID|1||${client}${number}^^^NODE^MR||Müller^Zoë`,
    "PV1|1|O",
  ].join("\r");
}

const msa = (answer) => answer.split("\r").find((line) => line.startsWith("MSA")).split("|").slice(1, 3);

async function simpleHl7() {
  const client = simple.Server.createTcpClient({ host: "127.0.0.1", port: Number(port), keepalive: true });
  const parser = new simple.Parser({ segmentSeperator: "\r" });
  const ask = (number) => new Promise((resolve, reject) => {
    client.send(parser.parse(text("simple", number)), (error, ack) => error ? reject(error) : resolve(ack.toString()));
  });
  const got = [msa(await ask(1)), msa(await ask(2))];
  client.close();
  return got;
}

async function medplum() {
  const client = new Hl7Client({ host: "127.0.0.1", port: Number(port), keepAlive: true });
  const got = [];
  for (const number of [1, 2]) {
    got.push(msa((await client.sendAndWait(Hl7Message.parse(text("medplum", number)))).toString()));
  }
  const both = text("medplum", 3).replace("|P|2.5.1", "|P|2.5.1|||AL|AL");
  const answer = await client.sendAndWait(Hl7Message.parse(both), { returnAck: "application" });
  got.push(msa(answer.toString()));
  await client.close();
  return got;
}

async function nodeHl7Client() {
  const { Message } = await import("node-hl7-client");
  const client = new Client({ host: "127.0.0.1" });
  const got = [];
  let told;
  const outbound = client.createConnection({ port: Number(port) }, async (response) => {
    told(msa(response.getMessage().toString()));
  });
  for (const number of [1, 2]) {
    const answered = new Promise((resolve) => { told = resolve; });
    await outbound.sendMessage(new Message({ text: text("client", number) }));
    got.push(await answered);
  }
  await outbound.close();
  return got;
}

function listenMedplum() {
  return new Promise((resolve) => {
    const server = new Hl7Server((connection) => {
      connection.addEventListener("message", ({ message }) => connection.send(message.buildAck()));
    });
    server.start(0);
    server.server.on("listening", () => resolve(server.server.address().port));
  });
}

function listenSimple() {
  return new Promise((resolve) => {
    const app = simple.tcp();
    app.use((_request, response) => response.end());
    app.start(0);
    const server = app.server?.server ?? app.server;
    server.on("listening", () => resolve(server.address().port));
  });
}

if (mode === "send") {
  console.log(JSON.stringify({ simple: await simpleHl7(), medplum: await medplum(), client: await nodeHl7Client() }));
  process.exit(0);
}
console.log(JSON.stringify({ simple: await listenSimple(), medplum: await listenMedplum() }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
