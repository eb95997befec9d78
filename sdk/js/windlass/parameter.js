// Parameters: what a scaler declares, and how it reads them from a trigger.
import { Problem } from "./failure.js";
import { Address, Url } from "./url.js";

/** A secret that the scaler only names. */
export class Sealed {
  constructor(parameter) {
    this.parameter = parameter;
  }
}

const FROM = ["metadata", "environment", "authentication"];
const SECRECY = ["open", "sealed", "revealed"];
const entries = (text) => text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");

/** How the text of each type is read; it comes in the contract's form. */
const READ = {
  text: (text) => text,
  integer(text, name) {
    const number = Number(text);
    if (!Number.isSafeInteger(number)) throw new Problem(name, "is not an integer between -(2^53 - 1) and 2^53 - 1");
    return number;
  },
  number(text, name) {
    const number = text === "" ? NaN : Number(text);
    if (!Number.isFinite(number)) throw new Problem(name, "is not a finite number");
    return number;
  },
  boolean(text, name) {
    if (text !== "true" && text !== "false") throw new Problem(name, "is neither true nor false");
    return text === "true";
  },
  duration(text, name) {
    if (!/^\d+$/.test(text)) throw new Problem(name, "is not a number of milliseconds");
    return Number(text);
  },
  url: (text, name) => Url.parse(name, text),
  address: (text, name) => Address.parse(name, text),
  addresses: (text, name) => entries(text).map((entry) => Address.parse(name, entry)),
  texts: entries,
  pairs(text, name) {
    return entries(text).map((entry) => {
      const at = entry.indexOf("=");
      if (at < 0) throw new Problem(name, "is not of the form key=value");
      return [entry.slice(0, at).trim(), entry.slice(at + 1).trim()];
    });
  },
};

/** The contract's declarations of a scaler's `parameters`. Throws a TypeError that names what is wrong. */
export function declare(parameters) {
  return Object.entries(parameters).map(([name, given]) => {
    const { type = "text", aliases = [], choices = [], secrecy = "open", from = ["metadata"], doc, deprecated } = given;
    const wrong = (what) => new TypeError(`parameters.${name}: ${what}`);
    const known = ["type", "aliases", "required", "default", "choices", "secrecy", "from", "deprecated", "doc"];
    const odd = Object.keys(given).find((key) => !known.includes(key));
    if (odd !== undefined) throw wrong(`there is no ${odd}: write ${known.join(", ")}`);
    if (!Object.hasOwn(READ, type)) throw wrong(`type is one of ${Object.keys(READ).join(", ")}`);
    if (!SECRECY.includes(secrecy)) throw wrong(`secrecy is one of ${SECRECY.join(", ")}`);
    if (!from.every((place) => FROM.includes(place))) throw wrong(`from is a list of ${FROM.join(", ")}`);
    if (typeof doc !== "string" || doc.trim() === "") throw wrong("doc, words for people, is missing");
    const initial = given.default === undefined ? null : `${given.default}`;
    const required = given.required ?? false;
    if (required && initial !== null) throw wrong("it is either required or has a default");
    const origin = Object.fromEntries(FROM.map((place) => [place, from.includes(place)]));
    const shape = type;
    return { name, aliases, shape, required, initial, choices, secrecy, origin, deprecated: deprecated ?? null, doc };
  });
}

/** Reads a trigger's values by the declarations. Throws an array of all Problems. */
export function read(declared, values) {
  const texts = new Map(values.map(({ name, text }) => [name, text]));
  const problems = [];
  const parameters = {};
  for (const parameter of declared) {
    try {
      parameters[parameter.name] = parameter.name.endsWith("*")
        ? prefixed(parameter, texts)
        : one(parameter, parameter.name, texts);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problems.push(error);
    }
  }
  if (problems.length > 0) throw problems;
  return parameters;
}

/** All values with a prefix, by what follows it. */
function prefixed(parameter, texts) {
  const prefix = parameter.name.slice(0, -1);
  const names = [...texts.keys()].filter((name) => name.startsWith(prefix));
  return Object.fromEntries(names.map((name) => [name.slice(prefix.length), one(parameter, name, texts)]));
}

function one(parameter, name, texts) {
  const text = texts.get(name);
  if (text === undefined) {
    if (parameter.required || parameter.initial !== null) throw new Problem(name, "is required");
    return undefined;
  }
  if (parameter.secrecy === "sealed" && parameter.shape !== "url") return new Sealed(name);
  if (text === null) throw new Problem(name, "is sealed, but its text is needed");
  return READ[parameter.shape](text, name);
}
