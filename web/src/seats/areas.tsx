import { useFormat, useT } from "../i18n";
import type { AreaNode } from "./plan";
import type { SeatStore } from "./store";
import { useStoreVersion } from "./use-seats";

const BARS = 12;

/** The list's first step: every area with its prices and what is left in it. */
export function Areas({
  store,
  chosen,
  fits,
  choose,
}: {
  store: SeatStore;
  chosen: number | undefined;
  fits: (seat: number) => boolean;
  choose: (area: number) => void;
}) {
  const t = useT();
  useStoreVersion(store);
  const known = store.position !== undefined;
  return (
    <nav aria-label={t.seatsPage.areas}>
      <h2 className="mb-3 text-lg font-bold">{t.seatsPage.areas}</h2>
      <ul className="grid gap-2">
        {store.venue.areas
          .filter(({ seats }) => seats > 0)
          .map((area) => (
            <li key={area.index}>
              <Area
                area={area}
                store={store}
                free={known ? store.freeInArea(area.index, fits) : undefined}
                here={area.index === chosen}
                onChoose={() => choose(area.index)}
              />
            </li>
          ))}
      </ul>
    </nav>
  );
}

function Area({
  area,
  store,
  free,
  here,
  onChoose,
}: {
  area: AreaNode;
  store: SeatStore;
  free: number | undefined;
  here: boolean;
  onChoose: () => void;
}) {
  const t = useT();
  const format = useFormat();
  const prices = areaPrices(area, store);
  const low = Math.min(...prices);
  const high = Math.max(...prices);
  const taken = free === undefined ? 0 : Math.round((1 - free / area.seats) * BARS);
  return (
    <button
      type="button"
      onClick={onChoose}
      aria-current={here ? "true" : undefined}
      className={`w-full rounded-2xl border-[1.5px] p-4 text-left ${here ? "border-ink bg-panel" : "border-line bg-panel hover:border-edge"}`}
    >
      <span className="flex items-baseline justify-between gap-3">
        <span className="text-base font-extrabold">{area.name}</span>
        <span className={`tnum text-sm whitespace-nowrap ${free === 0 ? "text-ink-2" : "font-semibold"}`}>
          {free === undefined ? "···" : free === 0 ? t.seatsPage.none : t.seatsPage.free(free)}
        </span>
      </span>
      <span className="tnum mt-0.5 block text-sm text-ink-2">
        {low === high ? format.won(low) : `${format.won(low)} – ${format.won(high)}`}
      </span>
      <span aria-hidden="true" className="lamps mt-2.5 h-1.5">
        {Array.from({ length: BARS }, (_, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lamps have no other name than their place
          <i key={at} data-lit={at < taken || undefined} />
        ))}
      </span>
    </button>
  );
}

function areaPrices(area: AreaNode, store: SeatStore): number[] {
  const categories = new Set(
    area.blocks.flatMap(({ rows }) => rows).flatMap(({ seats }) => seats.map((seat) => store.venue.category(seat))),
  );
  return [...categories].map((category) => store.venue.categoryPrice(category));
}
