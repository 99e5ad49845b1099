use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
enum Message {
    Empty,
    Text(String),
    List(Vec<u64>),
}
impl Wire for Message {}

const HEADER: Header = Header { protocol: 7, life: Life(2), ordinal: 300 };

fn framed(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode(HEADER, message, &mut out).unwrap();
    out
}

#[test]
fn golden_bytes() {
    let bytes = framed(&Message::Text("hi".into()));
    let golden =
        [23, 0, 0, 0, 207, 48, 138, 140, 7, 0, 1, 2, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0, 1, 2, 104, 105];
    assert_eq!(bytes, golden, "the wire format changed: raise the version and say why");
}

fn framed_with(message: &Message, blob: &Blob) -> Vec<u8> {
    let mut out = Vec::new();
    encode_with(HEADER, message, Some(blob), &mut out).unwrap();
    out
}

#[test]
fn a_blob_rides_beside_its_message() {
    for blob in [Blob::new(*b""), Blob::new(*b"abc"), Blob::synthetic(BlobId([7; 32]), 1 << 50)] {
        let mut bytes = framed(&Message::Empty);
        let before = bytes.clone();
        encode_with(HEADER, &Message::Text("hi".into()), Some(&blob), &mut bytes).unwrap();
        assert_eq!(bytes[..before.len()], before);
        let frame = decode_with(&bytes[before.len()..]).unwrap();
        let size = bytes.len() - before.len();
        let expected = Frame { header: HEADER, message: Message::Text("hi".into()), blob: Some(blob), size };
        assert_eq!(frame, expected);
        assert_eq!(decode_with(&before).map(|frame: Frame<Message>| frame.blob), Ok(None));
    }
}

#[test]
fn golden_bytes_with_a_blob() {
    let (id, message) = (BlobId([9; 32]), Message::Text("hi".into()));
    let real = framed_with(&message, &Blob::claimed(id, &b"abc"[..]));
    let head = [67, 0, 0, 0, 177, 28, 40, 58, 7, 0, 2, 2, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0];
    let tail = [3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 104, 105, 97, 98, 99];
    assert_eq!(real, [&head[..], &[1], &[9; 32], &tail].concat(), "the wire format changed");

    let synthetic = framed_with(&message, &Blob::synthetic(id, 3));
    let head = [64, 0, 0, 0, 133, 175, 129, 95, 7, 0, 2, 2, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0];
    let tail = [3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 104, 105];
    assert_eq!(synthetic, [&head[..], &[0], &[9; 32], &tail].concat(), "the wire format changed");
}

#[test]
fn a_long_blob_is_shared_and_a_short_one_copied() {
    for length in [10, SHARED_MIN] {
        let blob = Blob::new(vec![7; length]);
        let bytes = Bytes::from(framed_with(&Message::Empty, &blob));
        let frame: Frame<Message> = decode_shared(&bytes).unwrap();
        assert_eq!(frame.blob.as_ref(), Some(&blob));
        let within = bytes.as_ptr_range().contains(&frame.blob.unwrap().bytes().unwrap().as_ptr());
        assert_eq!(within, length == SHARED_MIN);
    }
}

#[test]
fn damage_to_a_blob_is_found_by_its_address_and_not_before() {
    let mut bytes = framed_with(&Message::Empty, &Blob::new(*b"abc"));
    *bytes.last_mut().unwrap() ^= 1;
    let blob = decode_with::<Message>(&bytes).unwrap().blob.unwrap();
    assert!(!blob.is_intact());
}

#[test]
fn a_sealed_frame_of_another_kind_is_opened() {
    let mut bytes = Vec::new();
    seal(HEADER, 16, b"body", &mut bytes).unwrap();
    let size = bytes.len();
    assert_eq!(open(&bytes), Ok(Sealed { header: HEADER, kind: 16, body: b"body", size }));
    assert_eq!(decode::<Message>(&bytes), Err(FrameError::UnknownKind { kind: 16, skip: size }));
}

#[test]
fn what_is_too_long_or_cannot_be_written_leaves_the_others_alone() {
    let mut bytes = framed(&Message::Empty);
    let before = bytes.clone();
    for length in [FRAME_MAX - 1, FRAME_MAX + 1] {
        let blob = Blob::claimed(BlobId([0; 32]), vec![0; length]);
        let error = encode_with(HEADER, &Message::Empty, Some(&blob), &mut bytes);
        assert!(matches!(error, Err(FrameError::Length(_))));
        assert_eq!(bytes, before);
    }
    assert_eq!(encode(HEADER, &Unwritable, &mut bytes), Err(FrameError::Body));
    assert_eq!(bytes, before);
}

#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq)]
struct Unwritable;
impl Wire for Unwritable {}
impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

#[test]
fn an_unknown_kind_is_skipped_and_a_remainder_refused() {
    let mut bytes = framed(&Message::Empty);
    let length = bytes.len() as u32 - 4;
    bytes[..HEADER_SIZE].copy_from_slice(&head(HEADER, 9, length));
    let skip = bytes.len();
    assert_eq!(decode::<Message>(&bytes), Err(FrameError::UnknownKind { kind: 9, skip }));

    let mut bytes = framed(&Message::Empty);
    bytes.push(0);
    let length = bytes.len() as u32 - 4;
    bytes[..HEADER_SIZE].copy_from_slice(&head(HEADER, KIND_MESSAGE, length));
    assert_eq!(decode::<Message>(&bytes), Err(FrameError::Body));
}

#[test]
fn impossible_lengths_are_refused_before_reading() {
    assert_eq!(decode::<Message>(&[0xff; 8]), Err(FrameError::Length(u32::MAX as usize + 4)));
    assert_eq!(decode::<Message>(&[0; 8]), Err(FrameError::Length(4)));
    assert_eq!(decode::<Message>(&[]), Err(FrameError::Short));
}

proptest! {
    #[test]
    fn what_was_framed_is_read(text in ".{0,40}", list in proptest::collection::vec(any::<u64>(), 0..20)) {
        for message in [Message::Text(text.clone()), Message::List(list.clone()), Message::Empty] {
            let bytes = framed(&message);
            let size = bytes.len();
            prop_assert_eq!(decode(&bytes), Ok((HEADER, message.clone(), size)));
            prop_assert_eq!(decode_with(&bytes), Ok(Frame { header: HEADER, message, blob: None, size }));
        }
    }

    #[test]
    fn what_was_framed_with_a_blob_is_read(
        list in proptest::collection::vec(any::<u64>(), 0..20),
        content in proptest::collection::vec(any::<u8>(), 0..300),
        length in any::<u64>(),
        is_real in any::<bool>(),
    ) {
        let blob = if is_real { Blob::new(content) } else { Blob::synthetic(BlobId([3; 32]), length) };
        let message = Message::List(list);
        let bytes = framed_with(&message, &blob);
        let size = bytes.len();
        prop_assert_eq!(decode_with(&bytes), Ok(Frame { header: HEADER, message, blob: Some(blob), size }));
    }

    #[test]
    fn a_changed_bit_of_the_header_never_passes(
        protocol in any::<u16>(),
        life in any::<u32>(),
        ordinal in any::<u64>(),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = Vec::new();
        seal(Header { protocol, life: Life(life), ordinal }, KIND_MESSAGE, &body, &mut bytes).unwrap();
        for bit in 0..HEADER_SIZE * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(&bytes).is_err(), "bit {}", bit);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_changed_body_keeps_its_header(list in proptest::collection::vec(any::<u64>(), 0..20), bit in any::<prop::sample::Index>()) {
        let mut bytes = framed(&Message::List(list));
        let bit = HEADER_SIZE * 8 + bit.index((bytes.len() - HEADER_SIZE) * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Another message, or none; but nothing else of it is believed.
        match decode_with::<Message>(&bytes) {
            Ok(frame) => prop_assert_eq!((frame.header, frame.size), (HEADER, bytes.len())),
            Err(error) => prop_assert_eq!(error, FrameError::Body),
        }
    }

    #[test]
    fn long_messages_are_framed_as_short_ones(length in 0_usize..3 * SHORT) {
        let text = Message::Text("a".repeat(length));
        let body = postcard::to_allocvec(&text).unwrap();
        let (mut bytes, mut sealed) = (vec![1, 2, 3], vec![1, 2, 3]);
        encode(HEADER, &text, &mut bytes).unwrap();
        seal(HEADER, KIND_MESSAGE, &body, &mut sealed).unwrap();
        prop_assert_eq!(bytes, sealed);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Message>(&bytes);
        let _ = decode_with::<Message>(&bytes);
    }
}
