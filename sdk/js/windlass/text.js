// Text and bytes: the engine of a component has neither TextDecoder nor URL nor atob.
import { Failure } from "./failure.js";

/** The marks of a sequence's first byte, by how many bytes follow it. */
const LEADING = [0, 0xc0, 0xe0, 0xf0];

export const utf8 = {
  /** Text as UTF-8; half a surrogate pair becomes U+FFFD. */
  encode(text) {
    const bytes = new Uint8Array(text.length * 3);
    let length = 0;
    for (const character of text) {
      let code = character.codePointAt(0);
      if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
      if (code < 0x80) {
        bytes[length++] = code;
        continue;
      }
      const following = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      bytes[length++] = LEADING[following] | (code >> (6 * following));
      for (let left = following - 1; left >= 0; left--) bytes[length++] = 0x80 | ((code >> (6 * left)) & 0x3f);
    }
    return bytes.slice(0, length);
  },

  /** UTF-8 as text. Throws a `bad-response` when it is none. A byte order mark stays. */
  decode(bytes) {
    const pieces = [];
    let units = [];
    let at = 0;
    while (at < bytes.length) {
      const code = codePoint(bytes, at);
      if (code < 0) throw Failure.badResponse("the answer is not UTF-8");
      at += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      if (code < 0x10000) units.push(code);
      else units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff));
      if (units.length > 4096) {
        pieces.push(String.fromCharCode.apply(null, units));
        units = [];
      }
    }
    pieces.push(String.fromCharCode.apply(null, units));
    return pieces.join("");
  },
};

/** The code point at a place, in its shortest form; -1 where there is none. */
function codePoint(bytes, at) {
  const first = bytes[at];
  if (first < 0x80) return first;
  const following = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4 || at + following >= bytes.length) return -1;
  let code = first & (0x3f >> following);
  for (let next = 1; next <= following; next++) {
    const byte = bytes[at + next];
    if ((byte & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (byte & 0x3f);
  }
  const least = [0, 0x80, 0x800, 0x10000][following];
  return code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? -1 : code;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export const base64 = {
  /** Bytes, or text as UTF-8, in base64 with padding. */
  encode(data) {
    const bytes = typeof data === "string" ? utf8.encode(data) : data;
    let text = "";
    for (let at = 0; at < bytes.length; at += 3) {
      const three = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
      const count = Math.min(bytes.length - at, 3) + 1;
      for (let place = 0; place < 4; place++) {
        text += place < count ? ALPHABET[(three >> (18 - 6 * place)) & 0x3f] : "=";
      }
    }
    return text;
  },

  /** Base64 as bytes; `-` and `_` count as `+` and `/`, and padding may be missing. Throws a `bad-response`. */
  decode(text) {
    const plain = text.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "");
    if (!/^[A-Za-z0-9+/]*$/.test(plain) || plain.length % 4 === 1) throw Failure.badResponse("the text is not base64");
    const bytes = new Uint8Array(Math.floor((plain.length * 3) / 4));
    let [bits, held, length] = [0, 0, 0];
    for (const character of plain) {
      bits = ((bits << 6) | ALPHABET.indexOf(character)) & 0xffff;
      held += 6;
      if (held >= 8) {
        held -= 8;
        bytes[length++] = (bits >> held) & 0xff;
      }
    }
    return bytes;
  },
};

/** Encodes a name or a value for the query of a URL: everything but letters, digits, `-`, `_`, `.` and `~`. */
export function percentEncode(text) {
  let encoded = "";
  for (const byte of utf8.encode(text)) {
    const character = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9\-_.~]/.test(character);
    encoded += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
