import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Redirect, useLocation } from "wouter";
import type { Me } from "../api/client";
import { queries } from "../api/queries";
import { to } from "../routes";
import { Failed, Loading, Skeleton } from "../ui/states";

/** What only someone who is signed in may see; others sign in first and come back. */
export function RequireAccount({ children }: { children: (me: Me) => ReactNode }) {
  const me = useQuery(queries.me());
  const [path] = useLocation();
  if (me.data) return children(me.data);
  if (me.data === null) return <Redirect to={to.signIn(path + location.search)} replace />;
  return (
    <div className="mx-auto w-full max-w-6xl px-4 py-10 sm:px-6">
      {me.isError ? (
        <Failed failure={me.error} retry={() => void me.refetch()} />
      ) : (
        <Loading>
          <Skeleton className="h-10 w-56" />
          <Skeleton className="mt-8 h-48 w-full" />
        </Loading>
      )}
    </div>
  );
}
