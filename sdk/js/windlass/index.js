// What a scaler is written with. Nothing here calls the host, so that a scaler's tests run in Node.js as they are.
export { Failure, Problem, problem } from "./failure.js";
export { Response, credential, get, post } from "./http.js";
export { normalize } from "./metric.js";
export { later } from "./reading.js";
export { defineScaler } from "./scaler.js";
export { base64, percentEncode, utf8 } from "./text.js";
export { Address, Url } from "./url.js";
