//! Modules that do something useful, and what they must come to.

use super::*;

/// Answers its argument.
pub(super) const ECHO: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 0))
  (func (export "run") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#;

/// Counts the letters `a`, up to nine.
pub(super) const LETTERS: &str = r#"(module
  (memory (export "memory") 2)
  (func (export "alloc") (param i32) (result i32) (i32.const 16))
  (func (export "run") (param $at i32) (param $left i32) (result i64) (local $count i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $count
          (i32.add (local.get $count) (i32.eq (i32.load8_u (local.get $at)) (i32.const 97))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.store8 (i32.const 0) (i32.add (local.get $count) (i32.const 48)))
    (i64.const 1)))"#;

/// The 64-bit FNV-1a hash of its argument, in eight bytes, the lowest first.
const FNV: &str = r#"(module
  (memory (export "memory") 2)
  (func (export "alloc") (param i32) (result i32) (i32.const 16))
  (func (export "run") (param $at i32) (param $left i32) (result i64) (local $hash i64)
    (local.set $hash (i64.const 0xcbf29ce484222325))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $hash (i64.mul (i64.const 0x100000001b3)
          (i64.xor (local.get $hash) (i64.load8_u (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i64.store (i32.const 0) (local.get $hash))
    (i64.const 8)))"#;

/// The Fibonacci number of its first byte, by two calls each, in eight bytes, the lowest first.
pub(super) const FIBONACCI: &str = r#"(module
  (memory (export "memory") 1)
  (func $fib (param $n i64) (result i64)
    (if (result i64) (i64.lt_u (local.get $n) (i64.const 2))
      (then (local.get $n))
      (else (i64.add (call $fib (i64.sub (local.get $n) (i64.const 1)))
                     (call $fib (i64.sub (local.get $n) (i64.const 2)))))))
  (func (export "alloc") (param i32) (result i32) (i32.const 0))
  (func (export "run") (param i32 i32) (result i64)
    (i64.store (i32.const 0) (call $fib (i64.load8_u (local.get 0))))
    (i64.const 8)))"#;

/// What floats come to where they are no numbers: 0/0, a NaN with bits of its own plus 1, the root of -1, and the least
/// of a NaN and 1; then 1/3. Eight bytes each.
const FLOATS: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 0))
  (func (export "run") (param $at i32) (param $left i32) (result i64) (local $zero f64) (local $odd f64)
    (local.set $zero (f64.convert_i32_u (local.get $left)))
    (local.set $odd (f64.reinterpret_i64 (i64.const 0xfff8dead00000001)))
    (f64.store (i32.const 0) (f64.div (local.get $zero) (local.get $zero)))
    (f64.store (i32.const 8) (f64.add (local.get $odd) (f64.const 1)))
    (f64.store (i32.const 16) (f64.sqrt (f64.sub (local.get $zero) (f64.const 1))))
    (f64.store (i32.const 24) (f64.min (local.get $odd) (f64.const 1)))
    (f64.store (i32.const 32) (f64.div (f64.const 1) (f64.const 3)))
    (i64.const 40)))"#;

/// Calls by a table, from a start function, with data, globals, and memory that grows, is filled and copied.
const MANY: &str = r#"(module
  (type $step (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (table 2 funcref)
  (elem (i32.const 0) $double $negate)
  (data (i32.const 8) "answer: ")
  (global $begun (mut i32) (i32.const 0))
  (start $begin)
  (func $begin (global.set $begun (i32.const 1)))
  (func $double (type $step) (i32.mul (local.get 0) (i32.const 2)))
  (func $negate (type $step) (i32.sub (i32.const 0) (local.get 0)))
  (func (export "alloc") (param i32) (result i32)
    (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
  (func (export "run") (param i32 i32) (result i64)
    (memory.fill (i32.const 16) (i32.const 120) (i32.const 4))
    (memory.copy (i32.const 20) (local.get 0) (local.get 1))
    (i32.store8 (i32.const 16)
      (call_indirect (type $step) (i32.const 33) (i32.and (global.get $begun) (i32.const 0))))
    (i64.or (i64.shl (i64.const 8) (i64.const 32)) (i64.extend_i32_u (i32.add (local.get 1) (i32.const 12))))))"#;

pub(super) const ALL: [&str; 6] = [ECHO, LETTERS, FNV, FIBONACCI, FLOATS, MANY];

#[test]
fn programs_answer_as_they_should() {
    assert_eq!(run(ECHO, b""), Ok(Vec::new()));
    assert_eq!(run(ECHO, &[7; 65_536][..4_096]), Ok(vec![7; 4_096]));
    assert_eq!(run(LETTERS, b"abracadabra"), Ok(b"5".to_vec()));
    // The test vectors of the FNV specification.
    assert_eq!(run(FNV, b""), Ok(0xcbf2_9ce4_8422_2325_u64.to_le_bytes().into()));
    assert_eq!(run(FNV, b"a"), Ok(0xaf63_dc4c_8601_ec8c_u64.to_le_bytes().into()));
    assert_eq!(run(FNV, b"foobar"), Ok(0x8594_4171_f739_67e8_u64.to_le_bytes().into()));
    assert_eq!(run(FIBONACCI, &[20]), Ok(6_765_u64.to_le_bytes().into()));
    assert_eq!(run(MANY, b"!"), Ok(b"answer: Bxxx!".to_vec()));
}

#[test]
fn a_nan_has_the_same_bits_everywhere() {
    let nan = 0x7ff8_0000_0000_0000_u64;
    let words = [nan, nan, nan, nan, (1_f64 / 3.0).to_bits()];
    assert_eq!(run(FLOATS, b""), Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect()));
}

/// The least fuel with which it answers.
fn fuel(module: &[u8], argument: &[u8]) -> u64 {
    let is_enough = |fuel| match within(Limits { fuel, ..Limits::default() }, module, argument) {
        Ok(_) => true,
        Err(failure) => {
            assert_eq!(failure, Failure::OutOfFuel);
            false
        }
    };
    let (mut short, mut enough) = (0, 1 << 30);
    assert!(is_enough(enough));
    while short + 1 < enough {
        let middle = (short + enough) / 2;
        if is_enough(middle) { enough = middle } else { short = middle }
    }
    enough
}

#[test]
fn the_same_call_burns_the_same_fuel() {
    for (text, argument) in [(LETTERS, &b"banana"[..]), (FIBONACCI, &[12]), (MANY, b"x")] {
        let once = module(text);
        // The same program, compiled again: an empty custom section gives it another name.
        let again = [&once[..], &[0, 2, 1, b'x']].concat();
        assert_ne!(Blob::new(&once[..]).id(), Blob::new(&again[..]).id());
        let burnt = fuel(&once, argument);
        assert_eq!((fuel(&once, argument), fuel(&again, argument)), (burnt, burnt));
    }
}

#[test]
fn slices_of_fuel_are_not_seen() {
    // A dozen of them: a loop of so many turns, of some instructions each.
    let turns = 10_000_000_u64;
    let text = format!(
        r#"(module
          (memory (export "memory") 1)
          (func (export "alloc") (param i32) (result i32) (i32.const 0))
          (func (export "run") (param i32 i32) (result i64) (local $turn i64) (local $sum i64)
            (loop $next
              (local.set $turn (i64.add (local.get $turn) (i64.const 1)))
              (local.set $sum (i64.add (local.get $sum) (local.get $turn)))
              (br_if $next (i64.lt_u (local.get $turn) (i64.const {turns}))))
            (i64.store (i32.const 0) (local.get $sum))
            (i64.const 8)))"#
    );
    let module = module(&text);
    assert_eq!(run(&text, b""), Ok((turns * (turns + 1) / 2).to_le_bytes().into()));
    // The limit is one for all of them together.
    let short = Limits { fuel: FUEL_AT_ONCE * 2, ..Limits::default() };
    assert_eq!(within(short, &module, b""), Err(Failure::OutOfFuel));
}

#[test]
fn nothing_stays_from_one_call_to_the_next() {
    // It counts its calls in memory and in a global.
    let text = r#"(module
      (memory (export "memory") 1)
      (global $calls (mut i32) (i32.const 0))
      (func (export "alloc") (param i32) (result i32) (i32.const 1000))
      (func (export "run") (param i32 i32) (result i64)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store8 (i32.const 0) (i32.add (global.get $calls) (i32.load8_u (i32.const 0))))
        (i64.const 1)))"#;
    for _ in 0..3 {
        assert_eq!(run(text, b""), Ok(vec![1]));
    }
}
