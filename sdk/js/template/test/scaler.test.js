import assert from "node:assert/strict";
import test from "node:test";
import scaler, { numberAt } from "../src/scaler.js";
import { Failure } from "../windlass/index.js";
import { configure, poll, runCases, trigger } from "../windlass/testing.js";

const url = "http://queues.shop:8080/stats";

runCases(test, scaler, new URL("../cases/", import.meta.url));

test("a path leads through objects and lists", () => {
  assert.equal(numberAt({ queues: [{ length: 3 }] }, "queues.0.length"), 3);
  assert.equal(numberAt({ value: " 1e3 " }, "value"), 1000);
  for (const path of ["queues.1", "queues.length", "toString", ""]) {
    assert.throws(() => numberAt({ queues: [1] }, path), Failure, path);
  }
});

test("what a user left out is a problem", () => {
  assert.deepEqual(configure(scaler, {}), { url: "is required" });
});

test("one query's trouble does not touch another's", () => {
  const triggers = ["a", "b", "c"].map((valueLocation) => trigger(scaler, { url, valueLocation }));
  const asked = [];
  const respond = (request) => {
    asked.push(request.target);
    return asked.length === 2 ? Failure.timeout("no answer") : '{"a": 1, "c": 3}';
  };
  const outcomes = poll(scaler, triggers, { respond });
  assert.deepEqual(outcomes.map(({ tag, val }) => (tag === "ready" ? val.values : val.kind)), [[1], "timeout", [3]]);
  assert.equal(asked.length, 3);
});
