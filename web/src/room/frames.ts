// Reads the head of a frame: which document it is about, and whether it carries edits or answers one that did.

/** A frame that matters for knowing what is stored. */
export interface EditFrame {
  address: string;
  kind: "step2" | "update" | "stored" | "refused";
}

const SYNC = 0;
const SYNC_STATUS = 8;
const text = new TextDecoder();

/** What the frame says about edits; null for all other frames and for bytes that are no frame. */
export function editFrame(bytes: Uint8Array): EditFrame | null {
  let at = 0;
  // Little-endian base 128; everything read here fits 32 bits.
  const varUint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return -1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return -1;
  };
  const length = varUint();
  if (length < 0 || at + length > bytes.length) return null;
  const address = text.decode(bytes.subarray(at, at + length));
  at += length;
  const type = varUint();
  if (type === SYNC) {
    const step = varUint();
    if (step === 1) return { address, kind: "step2" };
    return step === 2 ? { address, kind: "update" } : null;
  }
  if (type === SYNC_STATUS) return { address, kind: varUint() === 1 ? "stored" : "refused" };
  return null;
}
