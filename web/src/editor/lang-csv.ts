// Tables as text: every other column has a colour, so that one sees which value belongs to which column.

import { StreamLanguage } from "@codemirror/language";

interface State {
  column: number;
}

/** Token names by turns; both are known to the highlighter. */
const TURNS = [null, "propertyName", "string", "number"] as const;

export const support = (separator: string) =>
  StreamLanguage.define<State>({
    name: "csv",
    startState: () => ({ column: 0 }),
    token(stream, state) {
      if (stream.sol()) state.column = 0;
      const style = TURNS[state.column % TURNS.length] ?? null;
      if (stream.eat(separator)) {
        state.column++;
        return "comment";
      }
      if (stream.eat('"')) {
        // A quote inside is written twice; a quoted value that goes on in the next line loses its colour there.
        while (!stream.eol()) if (stream.next() === '"' && !stream.eat('"')) break;
        return style;
      }
      stream.eatWhile((character: string) => character !== separator);
      return style;
    },
  });
