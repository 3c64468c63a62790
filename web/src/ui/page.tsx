import { type ReactNode, useEffect, useRef } from "react";
import { useT } from "../i18n";

let opened = false;

const WIDTHS = { narrow: "max-w-xl", normal: "max-w-6xl", wide: "max-w-[90rem]" };

/** The document's title: what the page is, then whose it is. */
export function useTitle(title: string): void {
  const t = useT();
  useEffect(() => {
    document.title = `${title} · ${t.product}`;
  }, [title, t]);
}

/**
 * A page: names the document, and takes the focus to its heading when one comes from another page, so that a screen
 * reader starts reading here.
 */
export function Page({
  title,
  heading,
  above,
  beside,
  width = "normal",
  children,
}: {
  /** For the document's title; the heading serves if absent. */
  title?: string;
  heading: string;
  /** A line over the heading. */
  above?: ReactNode;
  /** What stands at the heading's end. */
  beside?: ReactNode;
  width?: keyof typeof WIDTHS;
  children: ReactNode;
}) {
  useTitle(title ?? heading);
  const h1 = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (opened) {
      scrollTo(0, 0);
      h1.current?.focus({ preventScroll: true });
    }
    opened = true;
  }, []);
  return (
    <div className={`mx-auto w-full px-4 pt-6 pb-28 sm:px-6 sm:pt-10 ${WIDTHS[width]}`}>
      <header className="mb-6 flex flex-wrap items-end justify-between gap-x-6 gap-y-3 sm:mb-8">
        <div className="min-w-0">
          {above && <div className="mb-2 text-sm text-ink-2">{above}</div>}
          <h1 ref={h1} tabIndex={-1} className="text-[1.75rem] font-extrabold sm:text-4xl">
            {heading}
          </h1>
        </div>
        {beside}
      </header>
      {children}
    </div>
  );
}
