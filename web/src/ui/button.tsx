import type { ComponentProps, ReactNode } from "react";
import { Link } from "wouter";

type Tone = "lamp" | "ink" | "outline" | "quiet" | "bad";

const TONES: Record<Tone, string> = {
  lamp: "bg-lamp text-on-lamp hover:bg-lamp-deep disabled:bg-well disabled:text-ink-2",
  ink: "bg-ink text-paper hover:opacity-85 disabled:bg-well disabled:text-ink-2",
  outline: "border-[1.5px] border-edge bg-panel text-ink hover:border-ink disabled:text-ink-2",
  quiet: "text-ink underline decoration-edge underline-offset-4 hover:decoration-ink disabled:text-ink-2",
  bad: "border-[1.5px] border-bad bg-panel text-bad hover:bg-bad-soft disabled:opacity-60",
};

const SIZES = {
  small: "min-h-9 px-4 text-sm rounded-xl",
  normal: "min-h-11 px-5 rounded-2xl",
  large: "min-h-14 px-7 text-lg rounded-2xl",
};

export interface Look {
  tone?: Tone;
  size?: keyof typeof SIZES;
  wide?: boolean;
}

export function look({ tone = "outline", size = "normal", wide = false }: Look): string {
  return `inline-flex items-center justify-center gap-2 py-2 text-center font-semibold transition-colors ${TONES[tone]} ${SIZES[size]} ${wide ? "w-full" : ""}`;
}

export function Button({
  tone,
  size,
  wide,
  busy = false,
  className = "",
  children,
  ...rest
}: Look & { busy?: boolean; children: ReactNode } & ComponentProps<"button">) {
  const disabled = rest.disabled || busy;
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled}
      aria-busy={busy || undefined}
      className={`${look({ ...(tone && { tone }), ...(size && { size }), ...(wide && { wide }) })} ${className}`}
    >
      {children}
    </button>
  );
}

export function ButtonLink({
  tone,
  size,
  wide,
  href,
  className = "",
  children,
}: Look & { href: string; className?: string; children: ReactNode }) {
  return (
    <Link
      href={href}
      className={`${look({ ...(tone && { tone }), ...(size && { size }), ...(wide && { wide }) })} ${className}`}
    >
      {children}
    </Link>
  );
}
