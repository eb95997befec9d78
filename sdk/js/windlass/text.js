// Text and bytes: the engine of a component has neither TextDecoder nor URL nor atob.
import { Failure } from "./failure.js";

/** The marks of a sequence's first byte, by how many bytes follow it. */
const LEADING = [0, 0xc0, 0xe0, 0xf0];
/** Bytes that a function takes as arguments at once. */
const CHUNK = 8_192;

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
    let binary = "";
    for (let at = 0; at < bytes.length; at += CHUNK) {
      binary += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
    }
    if (/^[\x00-\x7f]*$/.test(binary)) return binary;
    try {
      // The engine's own decoder: bytes as %XX, and those as UTF-8. It is strict, and much faster than what is written here could be.
      return decodeURIComponent(escape(binary));
    } catch {
      throw Failure.badResponse("the answer is not UTF-8");
    }
  },
};

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
