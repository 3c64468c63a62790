import { useSyncExternalStore } from "react";
import { useT } from "../i18n";

// What just happened, for everybody: read out by screen readers, and shown for a moment at the page's edge.

interface Message {
  id: number;
  text: string;
  tone: "plain" | "bad";
  shown: boolean;
}

const SHOWN_MS = 5000;
let messages: readonly Message[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function put(change: (now: readonly Message[]) => readonly Message[]): void {
  messages = change(messages);
  for (const listener of listeners) listener();
}

function add(text: string, tone: Message["tone"], shown: boolean): void {
  const id = nextId;
  nextId += 1;
  put((now) => [...now.slice(-3), { id, text, tone, shown }]);
  setTimeout(() => put((now) => now.filter((message) => message.id !== id)), SHOWN_MS);
}

/** Shown and read out. */
export const toast = (text: string, tone: Message["tone"] = "plain"): void => add(text, tone, true);
/** Only read out: what the page shows anyway. */
export const announce = (text: string): void => add(text, "plain", false);

export function Announcements() {
  const t = useT();
  const now = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => messages,
  );
  return (
    <>
      <div aria-live="polite" aria-atomic="false" className="sr-only" data-testid="announcements">
        {now.map(({ id, text }) => (
          <p key={id}>{text}</p>
        ))}
      </div>
      <div className="pointer-events-none fixed inset-x-0 top-1.5 z-50 flex flex-col items-center gap-2 px-4">
        {now
          .filter(({ shown }) => shown)
          .map(({ id, text, tone }) => (
            <div
              key={id}
              aria-hidden="true"
              className={`rise pointer-events-auto flex max-w-md items-center gap-3 rounded-2xl py-3 pr-3 pl-5 text-sm font-medium shadow-lift ${
                tone === "bad" ? "bg-bad-soft text-bad" : "bg-board text-on-board"
              }`}
            >
              <span>{text}</span>
              <button
                type="button"
                tabIndex={-1}
                className="grid size-8 shrink-0 place-items-center rounded-full hover:opacity-70"
                onClick={() => put((all) => all.filter((message) => message.id !== id))}
                title={t.close}
              >
                ×
              </button>
            </div>
          ))}
      </div>
    </>
  );
}
