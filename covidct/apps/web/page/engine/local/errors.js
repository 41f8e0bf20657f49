// What is wrong with a file, as a code that the page's texts turn into a sentence. Knows no language.

/** A file cannot be read as a slice. `code` names the sentence, `values` fill it, `reason` is the schema's word. */
export class ReadError extends Error {
  constructor(code, values = {}, { reason = "unreadable" } = {}) {
    super(code);
    this.code = code;
    this.values = values;
    this.reason = reason;
  }

  /** `refused` was read but says of itself that it is something else; `error` was not read. */
  get status() {
    return this.reason === "unreadable" ? "error" : "refused";
  }
}

/** Run `work`, and call whatever a decoder throws at damaged bytes a ReadError with `code`. */
export async function orReadError(code, work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ReadError) throw error;
    throw new ReadError(code);
  }
}
