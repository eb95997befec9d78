// @ts-check
// The number at a place in a JSON document.
import { Failure, credential, defineScaler, get, normalize, problem } from "../windlass/index.js";

export default defineScaler({
  name: "{{name}}",
  version: "0.1.0",
  parameters: {
    url: {
      type: "url",
      required: true,
      from: ["metadata", "environment"],
      doc: "Address that answers with JSON, for instance `http://queues.shop:8080/stats`.",
    },
    valueLocation: {
      type: "text",
      default: "value",
      doc: "Where the number is: names joined by dots; a number is an index into a list, as in `queues.0.length`.",
    },
    targetValue: { type: "number", default: 5, doc: "Value per replica." },
    activationTargetValue: { type: "number", default: 0, doc: "The workload is active above this value." },
    token: { secrecy: "sealed", from: ["authentication"], doc: "Sent as bearer token, where it is set." },
  },

  // Makes a plan of what a user wrote. Nothing is asked here.
  configure({ url, valueLocation, targetValue, activationTargetValue }) {
    if (!(targetValue > 0)) return [problem("targetValue", "must be greater than zero")];
    const name = normalize(`{{name}}-${valueLocation}`);
    return {
      metrics: [{ name, target: targetValue, activation: activationTargetValue }],
      endpoints: [url.endpoint()],
    };
  },

  // What is asked for one trigger. The SDK sends the requests of all triggers at once.
  requests({ url, token }) {
    return [
      get(url.target(), {
        headers: { accept: "application/json" },
        credentials: token ? [credential.bearer(token)] : [],
      }),
    ];
  },

  // The value, from one response per request.
  parse({ valueLocation }, _context, [response]) {
    return numberAt(response.json(), valueLocation);
  },
});

/**
 * The number at a dotted path; a text that is a number counts.
 * @param {unknown} document
 * @param {string} path
 */
export function numberAt(document, path) {
  const found = path.split(".").reduce(step, document);
  if (found === undefined) throw Failure.badResponse(`valueLocation: "${path}" is not in the answer`);
  const number = typeof found === "string" && NUMBER.test(found.trim()) ? Number(found.trim()) : found;
  if (typeof number !== "number" || !Number.isFinite(number)) {
    throw Failure.badResponse(`valueLocation: "${path}" is not a number`);
  }
  return number;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * @param {unknown} value
 * @param {string} key
 * @returns {unknown}
 */
function step(value, key) {
  if (Array.isArray(value)) return /^\d{1,9}$/.test(key) ? value[Number(key)] : undefined;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}
