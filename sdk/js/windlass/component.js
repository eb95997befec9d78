// The component: the contract's exports for the project's scaler, and the host as the SDK wants it.
import "./globals.js";
import clock from "windlass:scaler/clock@0.1.0";
import http from "windlass:scaler/http@0.1.0";
import hostLog from "windlass:scaler/log@0.1.0";
import hostNetwork from "windlass:scaler/network@0.1.0";
import random from "windlass:scaler/random@0.1.0";
import report from "windlass:scaler/report@0.1.0";
import tcp from "windlass:scaler/tcp@0.1.0";
import scaler from "../src/scaler.js";
import { Failure } from "./failure.js";
import { during } from "./globals.js";
import { Response } from "./http.js";

/** How much of a body is read at once, in bytes. */
const PIECE = 64 << 10;

export const polled = {
  describe: () => scaler.info,
  configure: (triggers) =>
    triggers.map((trigger) => {
      const answer = scaler.configure(trigger);
      if (!Array.isArray(answer)) return { tag: "ok", val: answer };
      return { tag: "err", val: answer.map(({ parameter, message }) => ({ parameter, message })) };
    }),
  poll: (batch) => during(batch, host, () => scaler.poll(batch, host)),
};

/** Calls the host; what it throws is the contract's record of a failure. */
function call(work) {
  try {
    return work();
  } catch (thrown) {
    throw failure(thrown);
  }
}

function failure(thrown) {
  const record = thrown?.payload ?? thrown;
  if (typeof record?.kind !== "string") return thrown;
  return new Failure(record.kind, record.message, { retryAfterMs: record.retryAfterMs ?? undefined });
}

/** Sends all requests at once; gives [index, response or Failure] as they complete. */
function* send(sent) {
  const exchange = http.send(sent.map(({ query, request: { maxBody, ...request } }) => ({ query, ...request })));
  for (let told = exchange.next(); told !== null && told !== undefined; told = exchange.next()) {
    const [index, result] = told;
    yield [index, result.tag === "ok" ? receive(result.val, sent[index].request.maxBody) : failure(result.val)];
  }
}

/** Bytes as they come from the host. */
function octets(given) {
  return given instanceof Uint8Array ? given : Uint8Array.from(given);
}

/** Reads a response's body to its end, up to a limit. */
function receive({ status, headers, body }, maxBody) {
  const pieces = [];
  let length = 0;
  try {
    for (let piece = call(() => body.read(PIECE)); piece.length > 0; piece = call(() => body.read(PIECE))) {
      length += piece.length;
      if (length > maxBody) return Failure.badResponse(`the answer is longer than ${maxBody} bytes`);
      pieces.push(piece);
    }
  } catch (error) {
    return Failure.of(error);
  } finally {
    body[Symbol.dispose]?.();
  }
  if (pieces.length === 1) return new Response(status, headers, octets(pieces[0]));
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return new Response(status, headers, whole);
}

const network = {
  nowMs: () => clock.monotonicMs(),
  open: (query, endpoint) => call(() => tcp.Connection.open(query, endpoint)),
  startTls: (connection) => call(() => connection.startTls()),
  write: (connection, bytes) => call(() => connection.write(bytes)),
  read: (connection, max, timeoutMs) => call(() => connection.read(max, timeoutMs)),
  keep: (connection) => tcp.Connection.keep(connection),
  drop: (connection) => connection[Symbol.dispose]?.(),
  wait: (connections, timeoutMs) => tcp.wait(connections, timeoutMs),
  learn: (query, parent, name, port) => call(() => hostNetwork.learn(query, parent, name, port)),
};

const host = {
  send,
  network,
  random: (count) => Uint8Array.from(random.bytes(count)),
  monotonicMs: () => clock.monotonicMs(),
  log: (level, query, message) => hostLog.write(level, query, message),
  put: (query, outcome) => report.put(query, outcome),
};
