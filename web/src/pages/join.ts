import { useQueryClient } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { commands } from "../api/commands";
import { isProblem } from "../api/problem";
import { queries } from "../api/queries";
import { clock } from "../live";
import { to } from "../routes";
import { useAction } from "../ui/use-action";

/** A press that comes this little before the opening waits for it: clocks differ by that much. */
const EARLY_MS = 3000;

/** Joins the line, alone or with a party, and goes there; or straight to the seats, if there is room. */
export function useJoin(performance: string) {
  const [, go] = useLocation();
  const client = useQueryClient();
  const action = useAction();
  return {
    busy: action.busy,
    failure: action.failure,
    join: (party: string | undefined) =>
      action.run(async () => {
        const place = await joinOnTime(performance, party);
        await client.invalidateQueries(queries.line(performance));
        go(place.state === "inside" ? to.seats(performance) : to.line(performance));
      }),
  };
}

async function joinOnTime(performance: string, party: string | undefined) {
  try {
    return await commands.joinLine(performance, party);
  } catch (failure) {
    const opensIn = isProblem(failure, "sale_not_open") ? Date.parse(failure.retryAt ?? "") - clock.now() : Number.NaN;
    if (!(opensIn < EARLY_MS)) throw failure;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, opensIn) + 20));
    return commands.joinLine(performance, party);
  }
}
