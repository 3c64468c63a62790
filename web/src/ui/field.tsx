import { type ReactNode, useId } from "react";

/** The look of a text field. */
export const INPUT =
  "w-full min-h-12 rounded-xl border-[1.5px] border-edge bg-panel px-4 text-base text-ink placeholder:text-ink-2 focus:border-ink";

export function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string;
  children: (id: string, hintId: string | undefined) => ReactNode;
}) {
  const id = useId();
  const hintId = hint ? `${id}-hint` : undefined;
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-semibold">
        {label}
      </label>
      {children(id, hintId)}
      {hint && (
        <p id={hintId} className="text-sm text-ink-2">
          {hint}
        </p>
      )}
    </div>
  );
}
