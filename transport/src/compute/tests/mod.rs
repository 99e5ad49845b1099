//! The services, from a call to its answer.

mod hostile;
mod programs;

use bytes::Bytes;
use proptest::prelude::*;
use seedbed_core::contract::BlobId;
use seedbed_core::scheduler::call::Limits;
use seedbed_core::settings;

use super::*;

const NO_WORK: Duration = Duration::ZERO;

fn call(service: Service, argument: &[u8]) -> Call {
    Call { service, argument: Bytes::copy_from_slice(argument), ..Call::default() }
}

/// A module in the text format.
fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn within(limits: Limits, module: &[u8], argument: &[u8]) -> Result<Vec<u8>, Failure> {
    let id = Some(Blob::new(module).id());
    compute(&Call { module: id, limits, ..call(Service::Wasm, argument) }, NO_WORK, Some(module))
}

fn run(text: &str, argument: &[u8]) -> Result<Vec<u8>, Failure> {
    within(Limits::default(), &module(text), argument)
}

#[test]
fn a_stand_in_takes_its_work_in_time() {
    let call = call(Service::StandIn, b"task 7");
    assert_eq!(compute(&call, Duration::from_millis(1), None), Ok(stand_in(b"task 7")));
    let limits = Limits { time: Duration::from_millis(1), ..Limits::default() };
    let short = Call { limits, ..call };
    assert_eq!(compute(&short, Duration::from_secs(86_400), None), Err(Failure::OutOfTime));
}

/// FIPS 180-2, appendix B: `abc`, and the message of 56 bytes; and the empty one, from NIST's examples.
#[test]
fn hashes_are_those_of_the_standard() {
    let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (argument, hash) in [
        (&b""[..], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (long, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    ] {
        assert_eq!(compute(&call(Service::Sha256, argument), NO_WORK, None), Ok(hash.into()));
    }
}

#[test]
fn primes_are_counted_within_the_limits() {
    assert_eq!(compute(&call(Service::Primes, b"10 20"), NO_WORK, None), Ok(b"4".to_vec()));
    let limits = Limits { time: Duration::from_nanos(1), ..Limits::default() };
    let hurried = Call { limits, ..call(Service::Primes, b"100000000000000") };
    assert_eq!(compute(&hurried, NO_WORK, None), Err(Failure::OutOfTime));
}

#[test]
fn no_service_answers_with_more_than_it_may() {
    let limits = Limits { output: settings::Bytes(3), ..Limits::default() };
    for (service, argument, length) in
        [(Service::StandIn, &b"x"[..], 8), (Service::Sha256, b"x", 64), (Service::Primes, b"100000", 4)]
    {
        let call = Call { limits, ..call(service, argument) };
        assert_eq!(compute(&call, NO_WORK, None), Err(Failure::AnswerTooLong(length)));
    }
    assert_eq!(
        within(limits, &module(programs::ECHO), b"four"),
        Err(Failure::AnswerTooLong(4)),
        "and a module does not, either"
    );
    assert_eq!(within(limits, &module(programs::ECHO), b"six"), Ok(b"six".to_vec()));
}

#[test]
fn a_call_out_of_bounds_is_refused() {
    let limits = Limits { memory: settings::Bytes(u64::MAX), time: Duration::MAX, ..Limits::default() };
    for wrong in [
        Call { limits, ..Call::default() },
        call(Service::Wasm, b""),
        Call { module: Some(BlobId([0; 32])), ..Call::default() },
        call(Service::Sha256, &[0; 65_537]),
    ] {
        assert!(matches!(compute(&wrong, NO_WORK, None), Err(Failure::Call(_))));
    }
}

/// A node's blobs: one, or none; it counts how often it is looked for.
struct Blobs(Option<Blob>, std::cell::Cell<u32>);

impl Store for Blobs {
    fn blob(&self, id: BlobId) -> Option<Blob> {
        self.1.set(self.1.get() + 1);
        self.0.clone().filter(|blob| blob.id() == id)
    }
}

#[test]
fn a_module_is_looked_for_once() {
    // No other test has it.
    let blob = Blob::new(module(&programs::ECHO.replace("(module", "(module (func) (func) (func)")));
    let call = Call { module: Some(blob.id()), ..call(Service::Wasm, b"again") };
    let none = Blobs(None, 0.into());
    assert_eq!(perform(&call, NO_WORK, &none), Err(Failure::NoModule));
    let some = Blobs(Some(blob), 0.into());
    for _ in 0..3 {
        assert_eq!(perform(&call, NO_WORK, &some), Ok(b"again".to_vec()));
    }
    assert_eq!((none.1.get(), some.1.get()), (1, 1));
}

#[test]
fn a_module_under_another_ones_name_is_refused() {
    let named = Some(Blob::new(module(programs::LETTERS)).id());
    let call = Call { module: named, ..call(Service::Wasm, b"aaa") };
    let other = module(programs::FIBONACCI);
    if let Err(failure) = compute(&call, NO_WORK, Some(&other)) {
        assert_eq!(failure, Failure::Invalid("it is not the one that was named".into()));
    } else {
        // It was compiled before, and what is given now is not looked at.
        assert_eq!(compute(&call, NO_WORK, Some(&other)), Ok(b"3".to_vec()));
    }
}

/// Fuel and memory with which anything ends at once.
const LITTLE: Limits = Limits {
    time: Duration::from_secs(60),
    memory: settings::Bytes(1 << 20),
    fuel: 100_000,
    output: settings::Bytes(64),
};

proptest! {
    #[test]
    fn any_argument_has_an_answer_or_a_failure(argument in prop::collection::vec(any::<u8>(), 0..40)) {
        for service in [Service::StandIn, Service::Sha256] {
            let call = Call { limits: LITTLE, ..call(service, &argument) };
            prop_assert!(compute(&call, NO_WORK, None).is_ok());
        }
        let primes = Call { limits: LITTLE, ..call(Service::Primes, &argument) };
        let _ = compute(&primes, NO_WORK, None);
        prop_assert_eq!(within(LITTLE, &module(programs::ECHO), &argument), Ok(argument));
    }

    #[test]
    fn any_bytes_are_a_module_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = within(LITTLE, &bytes, b"argument");
        let headed = [&b"\0asm\x01\0\0\0"[..], &bytes].concat();
        let _ = within(LITTLE, &headed, b"argument");
    }

    /// Most of these are valid but for a byte or two, so they come far.
    #[test]
    fn any_damage_of_a_module_is_a_failure_at_most(
        which in 0..programs::ALL.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = module(programs::ALL[which]);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(answer) = within(LITTLE, &bytes, b"12") {
            prop_assert!(answer.len() <= 64);
        }
    }
}
