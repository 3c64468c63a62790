import { type ReactNode, useEffect, useId, useRef } from "react";

/** A question that must be answered first: the browser's own dialog keeps focus inside and gives it back. */
export function Dialog({
  open,
  title,
  onClose,
  children,
}: {
  open: boolean;
  title: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = element.current;
    if (!dialog) return;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <dialog
      ref={element}
      aria-labelledby={heading}
      onClose={onClose}
      className="m-auto w-[min(92vw,28rem)] rounded-card bg-panel p-6 text-ink shadow-lift"
    >
      {open && (
        <>
          <h2 id={heading} className="text-xl font-bold">
            {title}
          </h2>
          {children}
        </>
      )}
    </dialog>
  );
}
