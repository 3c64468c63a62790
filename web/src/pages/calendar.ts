/** What goes into a calendar entry. */
export interface Entry {
  id: string;
  title: string;
  place: string;
  /** RFC 3339. */
  startsAt: string;
  seats: readonly string[];
}

/** An iCalendar file (RFC 5545) with one entry; the length of a show isn't known, so two hours are set aside. */
export function calendarEntry({ id, title, place, startsAt, seats }: Entry, now = new Date()): string {
  const start = new Date(startsAt);
  const end = new Date(start.getTime() + 2 * 3_600_000);
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Socketing//Web//KO",
    "BEGIN:VEVENT",
    `UID:${id}@socketing`,
    `DTSTAMP:${stamp(now)}`,
    `DTSTART:${stamp(start)}`,
    `DTEND:${stamp(end)}`,
    `SUMMARY:${escaped(title)}`,
    `LOCATION:${escaped(place)}`,
    `DESCRIPTION:${escaped(seats.join("\n"))}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return `${lines.map(folded).join("\r\n")}\r\n`;
}

function stamp(at: Date): string {
  return `${at.toISOString().replaceAll(/[-:]/g, "").slice(0, 15)}Z`;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\;,]/g, "\\$&").replaceAll("\n", "\\n");
}

/** Lines over 75 octets are continued on the next one; 24 characters of UTF-8 never are longer than that. */
function folded(line: string): string {
  return [...line].reduce((text, letter, at) => text + (at > 0 && at % 24 === 0 ? `\r\n ${letter}` : letter), "");
}
