import { useEffect, useRef } from "react";
import { useT } from "../i18n";
import { useRemaining } from "../live";
import { announcementDue, clockText, parts } from "../live/clock";
import { announce } from "./announce";

/** Calls back once when a moment has come, and reads out 60, 30 and 10 s before it, if asked to. */
export function useDeadline(until: string | undefined, onOver?: () => void, aloud = false): number | undefined {
  const t = useT();
  const left = useRemaining(until);
  const before = useRef<number | undefined>(undefined);
  const over = useRef(onOver);
  over.current = onOver;
  const seconds = left?.seconds;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another deadline starts anew
  useEffect(() => {
    before.current = undefined;
  }, [until]);

  useEffect(() => {
    if (seconds === undefined) return;
    const last = before.current;
    before.current = seconds;
    if (last === undefined) {
      if (seconds === 0) over.current?.();
      return;
    }
    const due = aloud ? announcementDue(last, seconds) : undefined;
    if (due !== undefined) announce(t.countdown.announce(due));
    if (last > 0 && seconds === 0) over.current?.();
  }, [seconds, aloud, t]);

  return seconds;
}

/** `2:05`, ticking by the server's clock. A screen reader gets words, and only when it asks. */
export function Clock({ seconds, className = "" }: { seconds: number; className?: string }) {
  const t = useT();
  const { days, hours, minutes, seconds: rest } = parts(seconds);
  const spoken = t.countdown.spoken(days * 1440 + hours * 60 + minutes, rest);
  return (
    <span role="timer" aria-label={spoken} className={`tnum ${className}`}>
      {days > 0 ? `${t.countdown.days(days)} ${clockText(seconds % 86_400)}` : clockText(seconds)}
    </span>
  );
}

/** A bar that empties towards a deadline. */
export function DeadlineBar({ seconds, of, className = "" }: { seconds: number; of: number; className?: string }) {
  const share = of > 0 ? Math.min(1, Math.max(0, seconds / of)) : 0;
  return (
    <div aria-hidden="true" className={`h-1.5 overflow-hidden rounded-full bg-well ${className}`}>
      <div
        className="h-full origin-left rounded-full bg-lamp transition-transform duration-1000 ease-linear"
        style={{ transform: `scaleX(${share})` }}
      />
    </div>
  );
}

/** Progress as a row of lamps; the one being worked on breathes. */
export function Lamps({
  share,
  count = 32,
  label,
  text,
  className = "h-4",
  breathing = false,
}: {
  share: number;
  count?: number;
  label: string;
  text?: string;
  className?: string;
  breathing?: boolean;
}) {
  const lit = Math.floor(Math.min(1, Math.max(0, share)) * count);
  const percent = Math.round(share * 100);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={text}
      className={`lamps ${className}`}
    >
      {Array.from({ length: count }, (_, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lamps have no other name than their place
        <i key={at} data-lit={at < lit ? "true" : breathing && at === lit ? "next" : undefined} />
      ))}
    </div>
  );
}
