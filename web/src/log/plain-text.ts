// Text without the escape sequences that a terminal would act on.

/** Removes colours, titles, links: CSI up to its final byte; OSC, DCS, APC, PM up to BEL or ST; two-character escapes. */
export function plainText(text: string): string {
  return text.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g, "");
}
