/** A person, by the first letter of the nickname; `lit` if they are in. */
export function Avatar({ name, lit }: { name: string; lit: boolean }) {
  return (
    <span
      aria-hidden="true"
      className={`grid size-10 shrink-0 place-items-center rounded-[12px_12px_6px_6px] text-sm font-bold ${lit ? "bg-lamp text-on-lamp" : "border-[1.5px] border-dashed border-edge text-ink-2"}`}
    >
      {[...name][0]?.toUpperCase()}
    </span>
  );
}
