// Parameters from what a user writes, by the host's rules.
import { Problem } from "../failure.js";

/** A trigger; throws an array of Problems. */
export function resolve(info, kind, metadata, authentication) {
  const values = [];
  const problems = [];
  for (const parameter of info.parameters) {
    try {
      for (const [name, text] of found(parameter, metadata, authentication)) {
        values.push({ name, text: settle(parameter, name, text) });
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problems.push(error);
      continue;
    }
    if (parameter.required && !values.some((value) => value.name === parameter.name)) {
      problems.push(new Problem(parameter.name, "is required"));
    }
  }
  if (problems.length > 0) throw problems;
  const known = info.parameters.flatMap(({ name, aliases }) => [name, ...aliases]);
  const extras = info.openEnded ? Object.entries(metadata).filter(([name]) => !known.includes(name)) : [];
  return { kind, values, extras, identity: null, owner: null };
}

/** Values for a parameter, with the names under which the scaler gets them. */
function found({ name, aliases, origin, initial }, metadata, authentication) {
  const places = [];
  if (origin.metadata || origin.environment) places.push(metadata);
  if (origin.authentication) places.push(authentication);
  const all = places.flatMap((place) => Object.entries(place).map(([own, text]) => [own, text.trim()]));
  if (name.endsWith("*")) return all.filter(([own]) => own.startsWith(name.slice(0, -1)));
  const set = places.flatMap((place) => [name, ...aliases].map((own) => place[own]?.trim() ?? ""));
  const text = set.find((one) => one !== "") ?? initial;
  return text === null || text === undefined ? [] : [[name, text]];
}

/** The value in the form in which the scaler gets it; null when it is sealed. */
function settle({ shape, secrecy, choices, deprecated }, name, text) {
  const wrong = (message) => new Problem(name, message);
  if (deprecated !== null) throw wrong(`is no longer accepted: ${deprecated}`);
  const list = ["texts", "addresses", "pairs"].includes(shape);
  const entries = list ? text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "") : [text];
  if (choices.length > 0 && !entries.every((entry) => choices.includes(entry))) {
    throw wrong(`is not one of ${choices.join(", ")}`);
  }
  if (secrecy === "sealed" && shape !== "url") return null;
  if (list) return entries.join(",");
  return NORMAL[shape]?.(text, wrong, secrecy) ?? text;
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

const NORMAL = {
  integer(text, wrong) {
    if (!/^[+-]?\d+$/.test(text)) throw wrong("is not an integer");
    return `${BigInt(text.replace(/^\+/, ""))}`;
  },
  number(text, wrong) {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) || !Number.isFinite(Number(text))) {
      throw wrong("is not a finite number");
    }
    return `${Number(text) + 0}`;
  },
  boolean(text, wrong) {
    if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return "true";
    if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return "false";
    throw wrong("is neither true nor false");
  },
  duration(text, wrong) {
    if (/^\d+$/.test(text)) return text;
    if (!/^(\d+(ms|s|m|h))+$/.test(text)) throw wrong("is not a duration");
    const parts = [...text.matchAll(/(\d+)(ms|s|m|h)/g)];
    return `${parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit], 0)}`;
  },
  url(text, wrong, secrecy) {
    const parts = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)(.*)$/is.exec(text);
    if (parts === null) throw wrong("is not an absolute URL: write it with its scheme, for instance http://host:port/path");
    return secrecy === "sealed" ? parts[1] + parts[2].slice(parts[2].lastIndexOf("@") + 1) + parts[3] : text;
  },
};
