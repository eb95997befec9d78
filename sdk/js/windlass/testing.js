// Testing a scaler in Node.js: no WebAssembly, no network, a time that the test sets.
import { readFileSync, readdirSync } from "node:fs";
import { Failure } from "./failure.js";
import { Response } from "./http.js";
import { Script, difference } from "./testing/case.js";
import { Network } from "./testing/network.js";
import { resolve } from "./testing/resolve.js";
export { close } from "./testing/network.js";

/** Time for a poll, in milliseconds. */
const BUDGET_MS = 10_000;

/**
 * A trigger from what a user writes, by the host's rules. Values of the environment are given as metadata. Throws an array of
 * Problems.
 */
export function trigger(scaler, metadata = {}, authentication = {}, kind = scaler.info.triggers[0]) {
  return resolve(scaler.info, kind, metadata, authentication);
}

/** What `configure` makes of what a user writes: a plan, or problems as `{ parameter: message }`. */
export function configure(scaler, metadata = {}, authentication = {}) {
  let answer;
  try {
    answer = scaler.configure(trigger(scaler, metadata, authentication));
  } catch (thrown) {
    if (!Array.isArray(thrown)) throw thrown;
    answer = thrown;
  }
  return Array.isArray(answer) ? Object.fromEntries(answer.map((one) => [one.parameter ?? "", one.message])) : answer;
}

/**
 * Answers a batch of triggers with a source that the test plays; gives one outcome each, `{ tag: "ready", val }` and so on.
 *
 * - `respond(request)`: HTTP; gives `{ status, headers, body }`, text alone, or a Failure of the host.
 * - `reply(bytes, endpoint, connection)`: TCP; gives bytes or text, null for silence, or `close`.
 * - `states`, `nowMs`: what the queries left last time, and the time.
 */
export function poll(scaler, triggers, { respond, reply, states = [], nowMs = 0, onLog } = {}) {
  const queries = triggers.map((one, index) => ({ trigger: one, state: states[index] ?? new Uint8Array() }));
  const outcomes = new Array(triggers.length).fill(undefined);
  const host = {
    *send(sent) {
      for (const [index, { query, request }] of sent.entries()) yield [index, answer(respond, request, query)];
    },
    network: new Network(reply),
    // Always the same, so that what a scaler makes of it can be expected.
    random: (count) => Uint8Array.from({ length: count }, (_, index) => index & 0xff),
    log: (level, query, message) => onLog?.(level, query, message),
    put: (query, outcome) => (outcomes[query] ??= outcome),
  };
  scaler.poll({ nowMs, budgetMs: BUDGET_MS, queries }, host);
  const silent = () => ({ tag: "failed", val: { kind: "internal", message: "no outcome was told", retryAfterMs: null } });
  return outcomes.map((outcome) => outcome ?? silent());
}

function answer(respond, request, query) {
  if (respond === undefined) throw new Error(`a request, but the test has no source: ${request.method} ${request.target}`);
  const given = respond(request, query);
  if (given instanceof Failure) return given;
  const { status = 200, headers = {}, body = "" } = typeof given === "string" ? { body: given } : given;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  if (bytes.length > request.maxBody) return Failure.badResponse(`the answer is longer than ${request.maxBody} bytes`);
  return new Response(status, Object.entries(headers), bytes);
}

/**
 * Runs the cases in a folder (a URL, with a `/` at its end) as tests: `runCases(test, scaler, new URL("../cases/", import.meta.url))`.
 */
export function runCases(test, scaler, folder) {
  const names = readdirSync(folder).sort();
  if (names.length === 0) throw new Error(`there is no case in ${folder}`);
  for (const name of names) {
    test(`case ${name}`, () => {
      const text = readFileSync(new URL(`${name}/case.json`, folder), "utf8");
      const found = run(scaler, JSON.parse(text));
      if (found !== null) throw new Error(found);
    });
  }
}

/** Plays a case; what differs, or null. */
function run(scaler, { type, metadata = {}, authentication = {}, problems = {}, metrics = [], endpoints = [], polls = [] }) {
  let own;
  let plan;
  try {
    own = trigger(scaler, metadata, authentication, type);
    plan = scaler.configure(own);
  } catch (thrown) {
    if (!Array.isArray(thrown)) throw thrown;
    plan = thrown;
  }
  const differs = difference.plan(plan, { problems, metrics, endpoints });
  if (differs !== null || Array.isArray(plan)) return differs;
  let state = new Uint8Array();
  for (const [number, { now, exchange = [], expect }] of polls.entries()) {
    const script = new Script(exchange);
    const played = { respond: script.respond, reply: script.reply, states: [state], nowMs: now ? Date.parse(now) : 0 };
    const [outcome] = poll(scaler, [own], played);
    const found = script.left() ?? difference.outcome(outcome, expect);
    if (found !== null) return `poll ${number}: ${found}`;
    state = outcome.val.state ?? state;
  }
  return null;
}
