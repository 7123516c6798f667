// Browser APIs that Node lacks, and connections to the gateway that can be cut. The test passes parameters as JSON:
// folder, which contains the snippets; url; producer and consumer, each with id and token.
import { webcrypto } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';

export const parameters = JSON.parse(process.argv[2]);

export const snippet = (name) => import(pathToFileURL(`${parameters.folder}/${name}`));

let away = false;
let refusals = 0;
const lines = new Set();

class Line extends WebSocket {
  constructor(address, protocols) {
    super(away ? 'ws://127.0.0.1:1/nobody-listens-here' : address, protocols);
    lines.add(this);
    if (away) this.on('error', () => { refusals += 1; });
    this.on('close', () => lines.delete(this));
  }
}

const stored = new Map(Object.entries(parameters.stored ?? {}));
globalThis.WebSocket = Line; // also where Node has its own, which can't be cut
globalThis.crypto ??= webcrypto;
globalThis.localStorage = {
  getItem: (key) => stored.get(key) ?? null,
  setItem: (key, value) => { stored.set(key, value); },
};
export const kept = () => Object.fromEntries(stored);

/** Cut all connections, and refuse new ones while the callback runs. */
export async function cut(meanwhile) {
  away = true;
  if (lines.size === 0) throw new Error('there is no line to cut');
  for (const line of lines) line.terminate();
  await meanwhile();
  await until(() => refusals > 0);
  away = false;
}

/** Hold back the responses to the next queries of the inbox. Returns their number and a function that releases them. */
export function heldReadings(most = Infinity) {
  const send = globalThis.fetch;
  let release;
  const released = new Promise((done) => { release = done; });
  const held = { count: 0, release() { globalThis.fetch = send; release(); } };
  globalThis.fetch = async (url, init) => {
    const response = await send(url, init);
    if (held.count === most || !/query \w*Inbox/.test(init.body)) return response;
    held.count += 1;
    await released;
    return response;
  };
  return held;
}

const PATIENCE = 60_000;

export async function until(holds) {
  const tooLate = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > tooLate) throw new Error(`this never came: ${holds}`);
    await new Promise((done) => { setTimeout(done, 20); });
  }
}

export async function end(result) {
  await new Promise((done) => { process.stdout.write(JSON.stringify(result), done); });
  process.exit(0);
}
