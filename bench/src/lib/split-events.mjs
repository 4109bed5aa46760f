// Cuts `{"events":[{…},{…}]}` into the bytes of its events, without parsing what is in them.
// Must never be used on anything but well-formed JSON of that shape: it checks nothing.

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;

/** @param {Buffer} body @returns {Buffer[]} views into `body` */
export function splitEvents(body) {
  /** @type {Buffer[]} */
  const events = [];
  let depth = 0;
  let start = 0;
  for (let index = body.indexOf(OPEN_BRACKET) + 1; index < body.length; index += 1) {
    const byte = body[index];
    if (byte === QUOTE) {
      index = endOfString(body, index);
    } else if (byte === OPEN_BRACE) {
      if (depth === 0) start = index;
      depth += 1;
    } else if (byte === CLOSE_BRACE) {
      depth -= 1;
      if (depth === 0) events.push(body.subarray(start, index + 1));
      if (depth < 0) break;
    }
  }
  return events;
}

/** @param {Buffer} body @param {number} openingQuote @returns {number} index of the closing quote */
function endOfString(body, openingQuote) {
  let index = openingQuote + 1;
  while (index < body.length && body[index] !== QUOTE) index += body[index] === BACKSLASH ? 2 : 1;
  return index;
}
