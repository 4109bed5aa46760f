// The two ways to write one name: customer_id and customerId. Applet pages use the first, payloads the second.
// It must stay a pure function of the name: which spelling a payload uses is never guessed from the payload.

/** A longer key is no field name but a text taken from the payload, and not worth the search. */
const MAX_NAME_LENGTH = 200;
const SNAKE_JOINT = /([\p{L}\p{N}])_([\p{L}\p{N}])/gu;
const WORD_START = /(\p{Ll}|\p{N})(\p{Lu})|(\p{Lu})(\p{Lu}\p{Ll})/gu;

/**
 * The same name in the other case style, undefined for a name of one word.
 * `customer_id` ↔ `customerId`, `invoiceID` → `invoice_id`, `qrCodeURLText` → `qr_code_url_text`;
 * leading and trailing underscores stay where they are.
 */
export function otherSpelling(name: string): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const other = hasSnakeJoint(name) ? toCamelCase(name) : toSnakeCase(name);
  return other === name ? undefined : other;
}

function hasSnakeJoint(name: string): boolean {
  return name.search(SNAKE_JOINT) >= 0;
}

function toCamelCase(name: string): string {
  // Twice, because the letter between two joints (a_b_c) belongs to both and one pass takes it only once.
  const join = (text: string): string =>
    text.replace(SNAKE_JOINT, (_, left: string, right: string) => left + right.toUpperCase());
  return join(join(name));
}

function toSnakeCase(name: string): string {
  const split = (text: string): string =>
    text.replace(
      WORD_START,
      (_, lower = "", upper = "", acronym = "", word = "") => `${lower}${acronym}_${upper}${word}`,
    );
  const joined = split(split(name));
  // A name without an inner capital ("Customer", "SKU") is one word and has one spelling.
  return joined === name ? name : joined.toLowerCase();
}
