// What JavaScript has and a component has not: there is no clock but the batch's, no console, no randomness but the host's.
const Native = Date;
let now = () => {
  throw new Error("there is no time here: it comes with the poll");
};
let print = () => {};

/** While a batch is answered, the time is that of the batch, and what is printed is logged. */
export function during(batch, host, work) {
  const began = host.monotonicMs();
  const [idle, silent] = [now, print];
  now = () => batch.nowMs + (host.monotonicMs() - began);
  print = (level, parts) => host.log(level, null, parts.map((part) => `${part}`).join(" "));
  try {
    return work();
  } finally {
    [now, print] = [idle, silent];
  }
}

globalThis.Date = class Date extends Native {
  constructor(...given) {
    super(...(given.length === 0 ? [now()] : given));
  }
  static now() {
    return now();
  }
};
Math.random = () => {
  throw new Error("there is no Math.random here: use context.random(count)");
};
const at = (level) => (...parts) => print(level, parts);
globalThis.console = { debug: at("debug"), log: at("info"), info: at("info"), warn: at("warn"), error: at("error") };
