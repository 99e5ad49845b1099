//! Modules that mean harm: each ends as a failure, within its limits.

use super::*;

/// A module whose `run` does this, with the rest of what it must have.
fn doing(body: &str) -> String {
    format!(
        r#"(module
          (memory (export "memory") 1)
          (func (export "alloc") (param i32) (result i32) (i32.const 0))
          (func (export "run") (param i32 i32) (result i64) {body} (i64.const 0)))"#
    )
}

#[test]
fn a_loop_without_end_burns_its_fuel() {
    let little = Limits { fuel: 1_000_000, ..Limits::default() };
    for endless in [
        "(loop $next (br $next))",
        "(loop $next nop (br_if $next (i32.const 1)))",
        "(loop $next (br_table $next $next (i32.const 0)))",
        "(loop $next (block (block)) (drop (i32.const 1)) (br $next))",
        "(loop $next (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $next))",
        "(loop $next (drop (memory.grow (i32.const 0))) (br $next))",
    ] {
        assert_eq!(within(little, &module(&doing(endless)), b""), Err(Failure::OutOfFuel), "{endless}");
    }
}

#[test]
fn a_loop_without_end_runs_out_of_time() {
    let hurried = Limits { time: Duration::from_millis(50), fuel: u64::MAX, ..Limits::default() };
    for endless in [
        "(loop $next (br $next))",
        "(loop $next (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $next))",
    ] {
        assert_eq!(within(hurried, &module(&doing(endless)), b""), Err(Failure::OutOfTime), "{endless}");
    }
    let text = doing("").replace("(i32.const 0)", "(loop $next (br $next)) (i32.const 0)");
    assert_eq!(within(hurried, &module(&text), b""), Err(Failure::OutOfTime), "in `alloc`");
    let none = Limits { time: Duration::ZERO, ..hurried };
    assert_eq!(within(none, &module(&doing("")), b""), Err(Failure::OutOfTime));
}

#[test]
fn a_start_function_has_little_fuel_and_no_fuel_of_others() {
    let started = |body: &str| doing("").replace("(memory", &format!("(start $s) (func $s {body}) (memory"));
    let much = Limits { fuel: u64::MAX, ..Limits::default() };
    let endless = module(&started("(loop $next (br $next))"));
    assert_eq!(within(much, &endless, b""), Err(Failure::OutOfFuel));
    assert!(matches!(run(&started("unreachable"), b""), Err(Failure::Trapped(_))));
    let grown = module(&started("(drop (memory.grow (i32.const 60000)))"));
    assert_eq!(within(much, &grown, b""), Ok(Vec::new()), "it was told that it cannot");
}

#[test]
fn memory_ends_where_its_limit_is() {
    let limits = Limits { memory: settings::Bytes(10 << 16), ..Limits::default() };
    // Answers how many pages it got, in one byte.
    let greedy = doing(
        "(block $full (loop $next
          (br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1))) (br $next)))
        (i32.store8 (i32.const 0) (memory.size)) (return (i64.const 1))",
    );
    assert_eq!(within(limits, &module(&greedy), b""), Ok(vec![10]));
    // Gives up as compiled programs do.
    let giving_up =
        doing("(loop $next (br_if $next (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable");
    assert_eq!(within(limits, &module(&giving_up), b""), Err(Failure::OutOfMemory));
    let at_once = doing("(drop (memory.grow (i32.const 65535)))");
    assert_eq!(within(limits, &module(&at_once), b""), Ok(Vec::new()));
    // A refusal that is got over is not the reason of a later trap.
    let other = doing("(drop (memory.grow (i32.const 99))) (drop (memory.grow (i32.const 1))) unreachable");
    assert!(matches!(within(limits, &module(&other), b""), Err(Failure::Trapped(_))));
    for (pages, fits) in [(10, true), (11, false), (65_536, false)] {
        let text = doing("").replace("\"memory\") 1", &format!("\"memory\") {pages}"));
        let expected = if fits { Ok(Vec::new()) } else { Err(Failure::OutOfMemory) };
        assert_eq!(within(limits, &module(&text), b""), expected, "{pages} pages");
    }
}

#[test]
fn calls_within_calls_end() {
    let deep = doing("(call $deeper)").replace("(memory", "(func $deeper (call $deeper)) (memory");
    assert!(matches!(run(&deep, b""), Err(Failure::Trapped(_))));
    // With so many locals that they fill the stack long before the calls are too deep.
    let locals = "i64 ".repeat(10_000);
    let wide = doing("(call $wider)")
        .replace("(memory", &format!("(func $wider (local {locals}) (call $wider)) (memory"));
    assert!(matches!(run(&wide, b""), Err(Failure::Trapped(_))));
    let once = doing("(call $wide)").replace("(memory", &format!("(func $wide (local {locals})) (memory"));
    assert_eq!(run(&once, b""), Ok(Vec::new()));
}

#[test]
fn data_that_fits_nowhere_is_refused() {
    let with = |data: &str| run(&doing("").replace("(memory", &format!("{data} (memory")), b"");
    assert!(matches!(with("(data (i32.const 65535) \"two\")"), Err(Failure::Trapped(_))));
    assert!(matches!(with("(data (i32.const -1) \"x\")"), Err(Failure::Trapped(_))));
    assert!(matches!(with("(table 1 funcref) (func $f) (elem (i32.const 1) $f)"), Err(Failure::Trapped(_))));
    let huge = "x".repeat(1 << 20);
    assert!(matches!(
        with(&format!("(data (i32.const 0) \"{huge}\")")),
        Err(Failure::Trapped(_) | Failure::Invalid(_))
    ));
    let longest = format!("(data \"{}\")", "x".repeat(5 << 20));
    assert!(matches!(with(&longest), Err(Failure::Invalid(_))), "longer than a module may be");
}

#[test]
fn addresses_are_checked() {
    let answering = |answer: &str| run(&doing(&format!("(return (i64.const {answer}))")), b"");
    for answer in [
        // At the end, beyond the end, over the end, and lengths that would be negative.
        "0x0001000000000001",
        "0x0001000100000000",
        "0xffffffff00000001",
        "0x0000ffff00000002",
        "0x7fffffff00000fff",
    ] {
        assert_eq!(answering(answer), Err(Failure::OutOfBounds), "{answer}");
    }
    assert_eq!(answering("-1"), Err(Failure::AnswerTooLong(u64::from(u32::MAX))));
    assert_eq!(answering("0x80000000"), Err(Failure::AnswerTooLong(1 << 31)));
    assert_eq!(answering("0x0000ffff00000001"), Ok(vec![0]));
    assert_eq!(answering("0x0001000000000000"), Ok(Vec::new()));
    for address in ["-1", "65536", "65535", "0x7fffffff"] {
        let text = doing("").replace("(i32.const 0)", &format!("(i32.const {address})"));
        assert_eq!(run(&text, b"ab"), Err(Failure::OutOfBounds), "{address}");
    }
}

#[test]
fn tables_are_small_and_keep_their_size() {
    let table =
        |size: &str, body: &str| doing(body).replace("(memory", &format!("(table {size} funcref) (memory"));
    assert_eq!(run(&table("65536", ""), b""), Ok(Vec::new()));
    for size in ["65537", "4294967295"] {
        assert!(run(&table(size, ""), b"").is_err(), "{size} elements");
    }
    // Whatever its fuel: a table that grew out of fuel could not go on.
    let grow = table(
        "1",
        "(loop $next
          (drop (table.grow (ref.null func) (i32.const 1000)))
          (drop (table.grow (ref.null func) (i32.const 0)))
          (br_if $next (i32.lt_u (table.size) (i32.const 2))))",
    );
    assert_eq!(
        within(Limits { fuel: 12_000_000, ..Limits::default() }, &module(&grow), b""),
        Err(Failure::OutOfFuel)
    );
    let many =
        doing("").replace("(memory", &format!("{} (memory", "(table 1 funcref) ".repeat(TABLES_MAX + 1)));
    assert!(run(&many, b"").is_err());
}

#[test]
fn what_is_not_asked_for_is_refused() {
    for import in [
        r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
        r#"(import "env" "memory" (memory 1))"#,
        r#"(import "env" "time" (global i64))"#,
    ] {
        let text = doing("")
            .replace("(module", &format!("(module {import}"))
            .replace("(memory (export", "(; ;) (memory (export");
        let failure = run(&text, b"").unwrap_err();
        assert!(matches!(failure, Failure::Imports(_) | Failure::Invalid(_)), "{failure}");
    }
    let failure = run(r#"(module (import "env" "time" (func)))"#, b"").unwrap_err();
    assert_eq!(failure, Failure::Imports("`time` of `env`".into()));
    for (feature, text) in [
        ("simd", doing("(drop (v128.const i64x2 0 0))")),
        ("64-bit memory", doing("").replace("\"memory\") 1", "\"memory\") i64 1")),
        ("two memories", doing("").replace("(memory", "(memory 1) (memory")),
        ("threads", doing("").replace("\"memory\") 1", "\"memory\") 1 1 shared")),
        (
            "tail calls",
            doing("(return_call $f)").replace("(memory", "(func $f (result i64) unreachable) (memory"),
        ),
        ("exceptions", doing("").replace("(memory", "(tag) (memory")),
        ("no types", doing("(drop (i32.add (i64.const 1) (i32.const 1)))")),
    ] {
        assert!(matches!(run(&text, b""), Err(Failure::Invalid(_))), "{feature}");
    }
}

#[test]
fn exports_must_be_there_and_fit() {
    for (text, lacks) in [
        (doing("").replace("\"memory\"", "\"other\""), "`memory`"),
        (doing("").replace("\"alloc\"", "\"malloc\""), "`alloc(i32) -> i32`"),
        (doing("").replace("\"run\"", "\"main\""), "`run(i32, i32) -> i64`"),
        (doing("").replace("(param i32 i32)", "(param i32 i64)"), "`run(i32, i32) -> i64`"),
        (doing("").replace("(param i32) (result i32) (i32.const 0)", "(param i32)"), "`alloc(i32) -> i32`"),
        (r#"(module (func (export "memory")))"#.into(), "`memory`"),
    ] {
        assert_eq!(run(&text, b""), Err(Failure::NoExport(lacks)));
    }
}

/// Modules that are small but cost much to compile, if nobody takes care.
#[test]
fn bombs_are_refused_or_cost_little() {
    let locals = "(func (local i64) ".to_owned() + &"(local i64) ".repeat(49_000) + ")";
    let functions =
        |body: &str, count| doing("").replace("(memory", &format!("{} (memory", body.repeat(count)));
    assert!(matches!(run(&functions(&locals, 3), b""), Ok(_) | Err(Failure::Invalid(_))));
    assert!(matches!(run(&functions("(func)", 20_000), b""), Err(Failure::Invalid(_))));
    let blocks = format!("(func {} {})", "block ".repeat(20_000), "end ".repeat(20_000));
    assert!(matches!(run(&functions(&blocks, 1), b""), Ok(_) | Err(Failure::Invalid(_))));
    let branches = format!("(func (block $out (br_table {} (i32.const 0))))", "$out ".repeat(200_000));
    assert!(matches!(run(&functions(&branches, 1), b""), Ok(_) | Err(Failure::Invalid(_))));
    let globals = "(global i32 (i32.const 0)) ".repeat(2_000);
    assert!(matches!(run(&functions(&globals, 1), b""), Err(Failure::Invalid(_))));
    // A name of a megabyte in what is told.
    let import = format!(r#"(module (import "{}" "x" (func)))"#, "n".repeat(90_000));
    let told = run(&import, b"").unwrap_err().to_string();
    assert!(told.chars().count() < Failure::QUOTE_MAX + 100, "{told}");
}
