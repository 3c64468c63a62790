import { useMemo } from "react";

interface Dot {
  x: number;
  y: number;
  angle: number;
  lit: boolean;
}

/** A show's picture: an auditorium drawn from the show's id; the share of its seats that is sold stands out. */
export function Motif({
  seed,
  lit,
  board = false,
  className = "",
}: {
  seed: string;
  lit: number;
  /** On the dark board the sold seats are lamps. */
  board?: boolean;
  className?: string;
}) {
  const dots = useMemo(() => auditorium(seed, lit), [seed, lit]);
  return (
    <svg viewBox="0 0 320 150" preserveAspectRatio="xMidYMid slice" className={className} aria-hidden="true">
      {dots.map(({ x, y, angle, lit: on }) => (
        <rect
          key={`${x} ${y}`}
          x={x - 3.6}
          y={y - 3.6}
          width="7.2"
          height="7.2"
          rx="2.2"
          transform={`rotate(${angle} ${x} ${y})`}
          className={on ? (board ? "fill-lamp" : "fill-current opacity-80") : "fill-current opacity-20"}
        />
      ))}
    </svg>
  );
}

/** Rows of seats on arcs around a stage. The same seed gives the same hall. */
export function auditorium(seed: string, lit: number): Dot[] {
  const random = generator(seed);
  const stage = { x: 160 + (random() - 0.5) * 60, y: 196 + random() * 50 };
  const aisle = (random() - 0.5) * 0.3;
  const halfSpan = 0.95 + random() * 0.4;
  const dots: Dot[] = [];
  for (let radius = 66; radius < 250; radius += 13) {
    const step = 12.5 / radius;
    for (let angle = -halfSpan; angle <= halfSpan; angle += step) {
      if (Math.abs(angle - aisle) < 9 / radius || Math.abs(Math.abs(angle - aisle) - 0.55) < 7 / radius) continue;
      const x = round(stage.x + radius * Math.sin(angle));
      const y = round(stage.y - radius * Math.cos(angle));
      if (x < 6 || x > 314 || y < 8 || y > 144) continue;
      dots.push({ x, y, angle: round((angle * 180) / Math.PI), lit: random() < lit });
    }
  }
  return dots;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** A small generator of numbers from 0 to 1 (mulberry32), started by a text. */
function generator(seed: string): () => number {
  let state = 0;
  for (const letter of seed) state = Math.imul(state ^ letter.charCodeAt(0), 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
