import type { ReactNode } from "react";
import { useErrorTexts, useFormat, useT } from "../i18n";
import { Button } from "./button";
import { failureText } from "./failure-text";

export function useFailureText(): (failure: unknown) => { title: string; hint: string } {
  const [t, texts, format] = [useT(), useErrorTexts(), useFormat()];
  return (failure) => failureText(failure, t, texts, format);
}

type Tone = "plain" | "bad" | "good" | "lamp";

const TONES: Record<Tone, string> = {
  plain: "bg-panel border-line",
  bad: "bg-bad-soft border-bad/30 text-bad",
  good: "bg-good-soft border-good/30 text-good",
  lamp: "bg-lamp-soft border-lamp/40",
};

/** A message that belongs to its place on the page. */
export function Notice({
  tone = "plain",
  title,
  children,
  alert = false,
}: {
  tone?: Tone;
  title: string;
  children?: ReactNode;
  alert?: boolean;
}) {
  return (
    <div role={alert ? "alert" : undefined} className={`rounded-2xl border p-4 ${TONES[tone]}`}>
      <p className="font-semibold">{title}</p>
      {children && (
        <div className={`mt-1 text-sm ${tone === "plain" || tone === "lamp" ? "text-ink-2" : ""}`}>{children}</div>
      )}
    </div>
  );
}

/** A failure, in its place. */
export function FailureNotice({ failure }: { failure: unknown }) {
  const { title, hint } = useFailureText()(failure);
  return (
    <Notice tone="bad" title={title} alert>
      {hint}
    </Notice>
  );
}

/** What could not be loaded, with a way on. */
export function Failed({ failure, retry }: { failure: unknown; retry?: () => void }) {
  const t = useT();
  const { title, hint } = useFailureText()(failure);
  return (
    <div role="alert" className="rounded-card border border-line bg-panel px-6 py-12 text-center">
      <p className="text-lg font-bold">{title}</p>
      <p className="mx-auto mt-2 max-w-md text-ink-2">{hint}</p>
      {retry && (
        <Button tone="ink" className="mt-6" onClick={retry}>
          {t.retry}
        </Button>
      )}
    </div>
  );
}

/** Nothing here, and what to do about it. */
export function Empty({ title, hint, children }: { title: string; hint?: string; children?: ReactNode }) {
  return (
    <div className="rounded-card border border-dashed border-edge px-6 py-12 text-center">
      <p className="text-lg font-bold">{title}</p>
      {hint && <p className="mx-auto mt-2 max-w-md text-ink-2">{hint}</p>}
      {children && <div className="mt-6 flex justify-center gap-3">{children}</div>}
    </div>
  );
}

/** The place where something will be, while it loads. */
export function Skeleton({ className = "" }: { className?: string }) {
  return <div className={`skeleton ${className}`} aria-hidden="true" />;
}

/** The rest of a list that comes in pages. */
export function More({
  query,
}: {
  query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
}) {
  const t = useT();
  if (!query.hasNextPage) return null;
  return (
    <div className="mt-8 text-center">
      <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
        {t.more}
      </Button>
    </div>
  );
}

export function Loading({ children }: { children: ReactNode }) {
  const t = useT();
  return (
    <div aria-busy="true">
      <p role="status" className="sr-only">
        {t.loading}
      </p>
      {children}
    </div>
  );
}
