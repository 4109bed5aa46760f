// Splits one text of a template into what is written as it stands and the expressions between {{ and }}.
// It must find the end that the expression language itself finds: }} inside a text or an object does not count.
import { ExpressionProblem } from "./errors.ts";
import { findClosingBraces } from "./tokens.ts";

export const OPENING = "{{";
const CLOSING_LENGTH = 2;

/** `position` is where the source begins in the text, in UTF-16 units. */
export interface EmbeddedExpression {
  readonly source: string;
  readonly position: number;
}

/** The parts in order; two texts never follow one another, and none is empty. Throws ExpressionProblem. */
export function splitTemplateText(text: string): (string | EmbeddedExpression)[] {
  const parts: (string | EmbeddedExpression)[] = [];
  let offset = 0;
  for (;;) {
    const opening = text.indexOf(OPENING, offset);
    const literal = opening < 0 ? text.slice(offset) : text.slice(offset, opening);
    if (literal !== "") parts.push(literal);
    if (opening < 0) return parts;
    const position = opening + OPENING.length;
    const end = findClosingBraces(text, position);
    if (end < 0) {
      throw new ExpressionProblem(
        "EXPRESSION_NOT_CLOSED",
        "The expression that begins here is not closed: }} is missing.",
        opening,
        'Braces that are meant as text are written {{ "{{" }}.',
      );
    }
    parts.push({ source: text.slice(position, end), position });
    offset = end + CLOSING_LENGTH;
  }
}
