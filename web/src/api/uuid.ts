// UUIDv7 (RFC 9562): the ids of what a command creates, and its Idempotency-Key. Made here, so that a retry after a
// lost answer meets the same thing instead of making a second one.

let lastMs = 0;
let counter = 0;

/** A new UUIDv7; later ones sort after earlier ones, also within the same millisecond. */
export function uuidv7(now: number = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(10));
  if (now > lastMs) {
    lastMs = now;
    counter = (((random[8] ?? 0) << 8) | (random[9] ?? 0)) & 0x7ff; // the upper bit stays free for counting up
  } else {
    counter += 1;
    if (counter > 0xfff) {
      lastMs += 1;
      counter = 0;
    }
  }
  const time = lastMs.toString(16).padStart(12, "0");
  const tail = Array.from(random.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = (0x8 | (Number.parseInt(tail.charAt(0), 16) & 0x3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, "0")}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
}
