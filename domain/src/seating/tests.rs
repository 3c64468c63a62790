//! Finding against brute force, and what its rules promise.

use super::*;
use crate::plan::{Area, Category, Plan, Point, Row, Seat};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A plan of rows: each row has parts between aisles, each part so many seats. Rows are two apart, seats one.
fn plan_of(rows: &[Vec<usize>], areas: usize) -> Plan {
    let mut plan = Plan { name: "Studio".to_owned(), ..Plan::default() };
    plan.categories = (0..2).map(|at| Category { name: at.to_string(), color: "#000000".to_owned() }).collect();
    plan.areas = (0..areas).map(|at| Area { name: at.to_string(), outline: Vec::new(), price: None }).collect();
    for (row, parts) in rows.iter().enumerate() {
        plan.rows.push(Row { area: (row * areas / rows.len()) as u16, name: row.to_string() });
        let mut x = 0.0;
        for part in parts {
            for at in 0..*part {
                let index = plan.seats.len() as u32;
                plan.seats.push(Seat {
                    id: index.to_string(),
                    number: index.to_string(),
                    row: row as u32,
                    category: u16::from(row * 2 >= rows.len()),
                    position: Point { x, y: row as f32 * 2.0 },
                    kind: SeatKind::Standard,
                    left: (at > 0).then(|| SeatIndex(index - 1)),
                    right: (at + 1 < *part).then_some(SeatIndex(index + 1)),
                });
                x += 1.0;
            }
            x += 1.5;
        }
    }
    plan
}

fn prices() -> Vec<Won> {
    [90_000, 60_000].map(|price| Won::new(price).unwrap()).to_vec()
}

fn seats(numbers: impl IntoIterator<Item = u32>) -> Vec<SeatIndex> {
    numbers.into_iter().map(SeatIndex).collect()
}

fn taken(plan: &Plan, taken: impl IntoIterator<Item = u32>) -> Free {
    let mut free = Free::all(plan.seats.len());
    taken.into_iter().for_each(|seat| free.set(SeatIndex(seat), false));
    free
}

/// What is found in a plan where all but these seats are taken.
fn find(plan: &Plan, free: &Free, wishes: &Wishes) -> Vec<Block> {
    let prices = prices();
    Search { index: plan.index(), free, prices: &prices, no_orphans: false }.find(wishes).unwrap()
}

/// A rank by brute force: far, price, depth, off, first; as the search has it, told again.
fn slow_rank(plan: &Plan, block: &[SeatIndex], wishes: &Wishes) -> (u128, std::cmp::Reverse<i64>, u64, u64, u32) {
    let hundredths = |number: f32| (f64::from(number) * 100.0).round() as i64;
    let at = |seat: &SeatIndex| (hundredths(plan.seats[seat.at()].position.x), hundredths(plan.seats[seat.at()].position.y));
    let far = wishes.near.map_or(0, |near| {
        let (x, y) = at(&near);
        let (dx, dy) = block.iter().map(at).fold((0, 0), |(dx, dy), seat| (dx + seat.0 - x, dy + seat.1 - y));
        (i128::from(dx).pow(2) + i128::from(dy).pow(2)).unsigned_abs()
    });
    let row_of = |seat: &SeatIndex| plan.seats[seat.at()].row;
    let area_of = |row: u32| plan.rows[row as usize].area;
    let depth = |seat: &SeatIndex| {
        let rows: BTreeSet<u32> = plan.seats.iter().map(|seat| seat.row).collect();
        rows.into_iter().filter(|row| *row < row_of(seat) && area_of(*row) == area_of(row_of(seat))).count() as u64
    };
    let off = |seat: &SeatIndex| {
        let row: Vec<i64> = plan.seats.iter().filter(|other| other.row == row_of(seat)).map(|seat| hundredths(seat.position.x)).collect();
        (at(seat).0 - row.iter().sum::<i64>() / row.len() as i64).unsigned_abs()
    };
    let price = block.iter().map(|seat| prices()[usize::from(plan.seats[seat.at()].category)].get()).sum();
    (far, std::cmp::Reverse(price), block.iter().map(depth).sum(), block.iter().map(off).sum(), block[0].0)
}

/// Every block of seats side by side, by following the plan's neighbours from each seat; the best first, none that shares a
/// seat with a better one.
fn slow_contiguous(plan: &Plan, free: &Free, wishes: &Wishes) -> Vec<Vec<SeatIndex>> {
    let welcome = |seat: SeatIndex| {
        let known = &plan.seats[seat.at()];
        let area = plan.rows[known.row as usize].area;
        free.has(seat)
            && wishes.category.is_none_or(|only| only == known.category)
            && wishes.area.is_none_or(|only| only == area)
            && wishes.price_max.is_none_or(|most| prices()[usize::from(known.category)] <= most)
            && (wishes.wheelchairs > 0 || known.kind == SeatKind::Standard)
    };
    let mut all = Vec::new();
    for first in 0..plan.seats.len() as u32 {
        let row = std::iter::successors(Some(SeatIndex(first)), |seat| plan.seats[seat.at()].right);
        let block: Vec<SeatIndex> = row.take(wishes.people as usize).collect();
        let wheelchairs = block.iter().filter(|seat| plan.seats[seat.at()].kind == SeatKind::Wheelchair).count();
        if block.len() == wishes.people as usize && block.iter().all(|seat| welcome(*seat)) && wheelchairs as i64 == wishes.wheelchairs {
            all.push((slow_rank(plan, &block, wishes), block));
        }
    }
    all.sort();
    let mut best: Vec<Vec<SeatIndex>> = Vec::new();
    for (_, block) in all {
        if best.len() < 5 && !best.iter().flatten().any(|seat| block.contains(seat)) {
            best.push(block);
        }
    }
    best
}

/// A plan with a few wheelchairs' spaces, what is free in it, and a wish.
fn any_case() -> impl Strategy<Value = (Plan, Free, Wishes)> {
    let rows = prop::collection::vec(prop::collection::vec(1..9_usize, 1..4), 1..9);
    let wishes = (
        1..7_i64,
        prop::option::of(0..2_u16),
        prop::option::of(any::<prop::sample::Index>()),
        prop::option::of(50_000..99_999_i64),
        0..4_u8,
    );
    (rows, 1..3_usize, prop::collection::vec(any::<bool>(), 216), prop::collection::vec(0..30_u8, 216), 0..4_usize, wishes).prop_map(
        |(rows, areas, free, kinds, fullness, (people, category, near, price, more))| {
            let mut plan = plan_of(&rows, areas.min(rows.len()));
            for (seat, kind) in plan.seats.iter_mut().zip(kinds) {
                seat.kind = [SeatKind::Wheelchair, SeatKind::Companion].get(usize::from(kind)).copied().unwrap_or_default();
            }
            let many = plan.seats.len();
            let taken_seats = (0..many as u32).filter(|at| free[*at as usize] && fullness > 0 && (*at as usize % 4) < fullness);
            let free = taken(&plan, taken_seats);
            let near = near.map(|near| SeatIndex(near.index(many) as u32));
            let area = (more == 1).then_some(0);
            let wheelchairs = i64::from(more == 2).min(people);
            let price_max = price.map(|price| Won::new(price).unwrap());
            (plan, free, Wishes { people, wheelchairs, price_max, category, area, near, at_worst: Kind::Near })
        },
    )
}

/// 2,000 cases, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 2_000, ..config } }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn contiguous_answers_equal_brute_force((plan, free, wishes) in any_case()) {
        let found = find(&plan, &free, &wishes);
        let contiguous: Vec<Vec<SeatIndex>> =
            found.iter().filter(|block| block.kind == Kind::Contiguous).map(|block| block.seats.clone()).collect();
        prop_assert_eq!(contiguous, slow_contiguous(&plan, &free, &wishes));
    }

    #[test]
    fn whatever_is_found_is_as_wished_and_says_how_it_lies((plan, free, wishes) in any_case()) {
        let found = find(&plan, &free, &wishes);
        prop_assert!(found.len() <= 5 && found.is_sorted_by_key(|block| block.kind));
        let mut seen = BTreeSet::new();
        for block in &found {
            prop_assert!(block.seats.iter().all(|seat| seen.insert(*seat)), "a seat of two blocks, or twice");
            prop_assert_eq!(block.seats.len() as i64, wishes.people);
            let of = |seat: &SeatIndex| &plan.seats[seat.at()];
            prop_assert!(block.seats.iter().all(|seat| free.has(*seat)));
            prop_assert!(wishes.category.is_none_or(|only| block.seats.iter().all(|seat| of(seat).category == only)));
            prop_assert!(wishes.area.is_none_or(|only| block.seats.iter().all(|seat| plan.rows[of(seat).row as usize].area == only)));
            let costs = |seat: &SeatIndex| prices()[usize::from(of(seat).category)];
            prop_assert!(wishes.price_max.is_none_or(|most| block.seats.iter().all(|seat| costs(seat) <= most)));
            prop_assert_eq!(block.total, block.seats.iter().map(costs).sum::<Won>());
            let wheelchairs = block.seats.iter().filter(|seat| of(seat).kind == SeatKind::Wheelchair).count();
            prop_assert_eq!(wheelchairs as i64, wishes.wheelchairs);
            prop_assert!(wishes.wheelchairs > 0 || block.seats.iter().all(|seat| of(seat).kind == SeatKind::Standard));
            prop_assert_eq!(plan.index().kind_of(&block.seats), block.kind, "told the same by whoever looks");
        }
        // Whenever there are so many seats at all, something is found.
        let standard = |seat: &&Seat| seat.kind == SeatKind::Standard;
        let open = wishes == Wishes { near: wishes.near, ..Wishes::of(wishes.people as usize) };
        let many = plan.seats.iter().enumerate().filter(|(at, seat)| standard(seat) && free.has(SeatIndex(*at as u32))).count();
        prop_assert!(!open || found.is_empty() == (many < wishes.people as usize));
    }

    #[test]
    fn what_is_found_leaves_nobody_alone_if_that_can_be((plan, free, wishes) in any_case()) {
        let prices = prices();
        let strict = Search { index: plan.index(), free: &free, prices: &prices, no_orphans: true };
        for block in strict.find(&wishes).unwrap() {
            prop_assert_eq!(strict.better_than(&block.seats), None, "{:?} is offered and would be refused", block);
        }
    }

    #[test]
    fn a_refused_choice_is_told_choices_that_are_accepted((plan, free, wishes) in any_case(), first in any::<prop::sample::Index>()) {
        let prices = prices();
        let strict = Search { index: plan.index(), free: &free, prices: &prices, no_orphans: true };
        let choice: Vec<SeatIndex> = (0..plan.seats.len() as u32).map(SeatIndex).filter(|seat| free.has(*seat)).collect();
        let start = if choice.is_empty() { 0 } else { first.index(choice.len()) };
        let choice: Vec<SeatIndex> = choice.into_iter().skip(start).take(wishes.people as usize).collect();
        if let Some(better) = strict.better_than(&choice) {
            prop_assert!(!better.is_empty() && !strict.left_alone(&choice).is_empty());
            for block in better {
                prop_assert_eq!(block.seats.len(), choice.len());
                prop_assert!(strict.left_alone(&block.seats).is_empty() && block.kind == Kind::Contiguous);
            }
        }
    }
}

#[test]
fn one_row_comes_first_then_two_then_what_is_near() {
    let plan = plan_of(&[vec![4], vec![4], vec![4]], 1);
    let free = taken(&plan, [0, 3, 4, 7]); // 1 2 / 5 6 / 8 9 10 11
    let found = find(&plan, &free, &Wishes::of(4));
    assert_eq!(found[0].seats, seats([8, 9, 10, 11]));
    assert_eq!((found[0].kind, found[1].kind), (Kind::Contiguous, Kind::Stacked));
    assert_eq!(found[1].seats, seats([1, 2, 5, 6]));
    assert_eq!(found.len(), 2, "nothing is left for a third");
    let odd = find(&plan, &taken(&plan, [0, 3, 4, 7, 8, 11]), &Wishes::of(3));
    assert!(odd.iter().all(|block| block.kind == Kind::Stacked || block.kind == Kind::Near));
    let scattered = find(&plan, &taken(&plan, [1, 2, 4, 5, 6, 7, 9, 10]), &Wishes::of(4));
    assert_eq!(scattered.iter().map(|block| (block.kind, block.seats.clone())).collect::<Vec<_>>(), [(Kind::Near, seats([0, 3, 8, 11]))]);
}

#[test]
fn nothing_worse_than_wished_is_found() {
    let plan = plan_of(&[vec![2], vec![2]], 1);
    let free = Free::all(4);
    let kinds =
        |at_worst| find(&plan, &free, &Wishes { at_worst, ..Wishes::of(4) }).into_iter().map(|block| block.kind).collect::<Vec<_>>();
    assert_eq!(kinds(Kind::Contiguous), []);
    assert_eq!(kinds(Kind::Stacked), [Kind::Stacked]);
    assert_eq!(kinds(Kind::Near), [Kind::Stacked]);
}

#[test]
fn an_aisle_is_a_gap() {
    let plan = plan_of(&[vec![2, 2]], 1);
    let found = find(&plan, &Free::all(4), &Wishes::of(3));
    assert_eq!(found.iter().map(|block| block.kind).collect::<Vec<_>>(), [Kind::Near]);
    assert_eq!(plan.index().kind_of(&seats([1, 2])), Kind::Near);
}

#[test]
fn without_a_wanted_seat_the_front_and_the_middle_come_first() {
    let plan = plan_of(&[vec![7], vec![7]], 1);
    assert_eq!(find(&plan, &Free::all(14), &Wishes::of(3))[0].seats, seats([2, 3, 4]));
    let near = Wishes { near: Some(SeatIndex(13)), ..Wishes::of(3) };
    assert_eq!(find(&plan, &Free::all(14), &near)[0].seats, seats([11, 12, 13]));
}

#[test]
fn a_wheelchair_comes_with_companions_and_an_ordinary_wish_leaves_their_seats() {
    let mut plan = plan_of(&[vec![5]], 1);
    (plan.seats[1].kind, plan.seats[2].kind) = (SeatKind::Companion, SeatKind::Wheelchair);
    let free = Free::all(5);
    let with = find(&plan, &free, &Wishes { wheelchairs: 1, ..Wishes::of(2) });
    assert!(with.iter().all(|block| block.seats.contains(&SeatIndex(2)) && block.seats.len() == 2));
    assert_eq!(find(&plan, &free, &Wishes::of(2)).into_iter().map(|block| block.seats).collect::<Vec<_>>(), [seats([3, 4])]);
    assert_eq!(find(&plan, &free, &Wishes { wheelchairs: 2, ..Wishes::of(2) }), []);
}

#[test]
fn wishes_that_cant_be_are_refused_with_the_field() {
    let plan = plan_of(&[vec![5]], 1);
    let (free, prices) = (Free::all(5), prices());
    let search = Search { index: plan.index(), free: &free, prices: &prices, no_orphans: false };
    let refused = |wishes: Wishes| search.find(&wishes).unwrap_err();
    for people in [0, -1, 65, 1_000_000_000, i64::MIN, i64::MAX] {
        let refusal = refused(Wishes { people, ..Wishes::default() });
        assert!(refusal.reason == Reason::SeatCount && refusal.detail.starts_with("/people: "), "{refusal}");
    }
    for wheelchairs in [-1, 3, i64::MAX] {
        assert_eq!(refused(Wishes { wheelchairs, ..Wishes::of(2) }).reason, Reason::SeatCount);
    }
    let unknown = refused(Wishes { near: Some(SeatIndex(5)), ..Wishes::of(1) });
    assert_eq!((unknown.reason, unknown.seats), (Reason::UnknownSeat, seats([5])));
    assert!(refused(Wishes { category: Some(2), ..Wishes::of(1) }).detail.starts_with("/category: "));
    assert!(refused(Wishes { area: Some(1), ..Wishes::of(1) }).detail.starts_with("/area: "));
}

#[test]
fn a_seat_is_left_alone_if_nobody_can_sit_beside_it() {
    let plan = plan_of(&[vec![5]], 1);
    let prices = prices();
    let alone = |taken_seats: &[u32], choice: &[u32]| {
        let free = taken(&plan, taken_seats.iter().copied());
        let search = Search { index: plan.index(), free: &free, prices: &prices, no_orphans: true };
        search.left_alone(&seats(choice.iter().copied()))
    };
    assert_eq!(alone(&[], &[1]), seats([0]));
    assert_eq!(alone(&[], &[1, 3]), seats([0, 2, 4]));
    assert_eq!(alone(&[], &[0]), []);
    assert_eq!(alone(&[], &[2]), []);
    assert_eq!(alone(&[1], &[2, 3]), seats([4]), "the one at the aisle; the one that was alone before isn't this choice's doing");
    assert_eq!(alone(&[0, 1], &[2, 3, 4]), []);
}

#[test]
fn the_rule_of_2024_goes_right_and_left_then_row_by_row_then_wherever() {
    let plan = plan_of(&[vec![5], vec![5], vec![5], vec![5]], 2); // two areas of two rows
    let prices = prices();
    let from = |taken_seats: &[u32], chosen: u32, people: usize| {
        let free = taken(&plan, taken_seats.iter().copied());
        let search = Search { index: plan.index(), free: &free, prices: &prices, no_orphans: false };
        let filter = Wishes::of(people).check(search.index, search.prices).unwrap().filter;
        search.original(SeatIndex(chosen), people, &filter)
    };
    assert_eq!(from(&[], 2, 2), Some(seats([2, 3])), "to the right first");
    assert_eq!(from(&[], 2, 4), Some(seats([1, 2, 3, 4])), "then to the left, then on");
    assert_eq!(from(&[3], 2, 3), Some(seats([0, 1, 2])), "truly side by side where that can be");
    assert_eq!(from(&[1], 2, 4), Some(seats([2, 3, 4, 0])), "else on over what is taken, as long as one side gives a seat");
    assert_eq!(from(&[0, 1, 3, 4], 2, 3), Some(seats([2, 7, 8])), "then the next row, from the same place");
    assert_eq!(from(&[0, 1, 3, 4, 7], 2, 3), Some(seats([2, 6, 8])), "then whatever is nearest");
    assert_eq!(from(&[], 2, 10), Some(seats([2, 3, 1, 4, 0, 7, 8, 6, 9, 5])), "all of the area");
    assert_eq!(from(&[], 2, 11), None, "and never another one");
    assert_eq!(from(&[2], 2, 1), None, "the chosen seat must be free");
}

#[test]
fn a_free_map_is_what_was_said() {
    let free = Free::of_digits(b"0120300");
    assert_eq!((0..7).map(|at| free.has(SeatIndex(at))).collect::<Vec<_>>(), [true, false, false, true, false, true, true]);
    assert!(!free.has(SeatIndex(7)) && !free.has(SeatIndex(u32::MAX)));
    let mut same = Free::none(7);
    [0, 3, 5, 6].into_iter().for_each(|at| same.set(SeatIndex(at), true));
    assert_eq!(same, free);
}
