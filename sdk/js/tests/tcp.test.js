// Conversations over TCP: many at a time, kept connections, and a source that hangs up.
import assert from "node:assert/strict";
import test from "node:test";
import { Failure, defineScaler } from "../windlass/index.js";
import { close, poll, trigger } from "../windlass/testing.js";

const scaler = defineScaler({
  name: "lines",
  parameters: {
    address: { type: "address", required: true, doc: "Where the source listens." },
    key: { required: true, doc: "What is asked for." },
  },
  configure: ({ address }) => ({ metrics: [{ name: "lines", target: 1 }], endpoints: [address.endpoint()] }),
  *converse({ key }, context, connection) {
    if (connection.fresh) {
      connection.write("HELLO\n");
      if ((yield* connection.line()) !== "OK") throw Failure.auth("refused");
    }
    connection.write(`GET ${key}\n`);
    return Number(yield* connection.line());
  },
});

const triggers = (count) =>
  Array.from({ length: count }, (_, key) => trigger(scaler, { address: "queue:6379", key: `${key}` }));

test("more queries than conversations share kept connections", () => {
  let logins = 0;
  const reply = (bytes) => {
    const text = new TextDecoder().decode(bytes);
    if (text !== "HELLO\n") return `${text.slice(4, -1)}\n`;
    logins += 1;
    return "OK\n";
  };
  const outcomes = poll(scaler, triggers(20), { reply });
  assert.deepEqual(outcomes.map(({ val }) => val.values[0]), Array.from({ length: 20 }, (_, key) => key));
  assert.equal(logins, 8);
});

test("a source that hangs up or is silent fails its query", () => {
  assert.equal(poll(scaler, triggers(1), { reply: () => close })[0].tag, "failed");
  assert.equal(poll(scaler, triggers(1), { reply: () => null })[0].val.kind, "timeout");
});
