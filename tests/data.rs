//! Batches, accuracy, and IDX files of every kind of wrong.
use chainrule::{
    data::{Dataset, Idx, accuracy},
    prelude::*,
};
use proptest::{
    prelude::{ProptestConfig, any, prop, prop_assert, prop_oneof},
    proptest,
};
use std::io::{self, Read};

fn numbered(n: usize) -> Dataset {
    let x = Tensor::from_fn([n, 2, 3], |e| (e / 6) as f64 + (e % 6) as f64 / 10.0);
    Dataset::new(x, Labels::new(0..n, n.max(1)).unwrap()).unwrap()
}

#[test]
fn batches_cover_each_example_once() {
    let mut rng = Rng::seed(1);
    for (n, size) in [(10, 4), (12, 4), (3, 5), (1, 1), (0, 3), (257, 32)] {
        let data = numbered(n);
        assert_eq!((data.len(), data.is_empty()), (n, n == 0));
        let batches = data.batches(size, &mut rng);
        assert_eq!(batches.len(), n.div_ceil(size));
        let mut seen = vec![];
        for (k, (x, y)) in batches.enumerate() {
            assert_eq!(*x.shape(), [y.len(), 2, 3]);
            assert_eq!(y.len(), size.min(n - k * size));
            for (row, &id) in x.data().chunks_exact(6).zip(y.ids()) {
                // Each example stays with its label, whole.
                assert_eq!(row, &data.x().data()[id as usize * 6..][..6]);
                seen.push(id);
            }
            rng.uniform(); // free in the loop
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..n as u32).collect::<Vec<_>>());
        let ordered: Vec<u32> = data.batches_in_order(size).flat_map(|(_, y)| y.ids().to_vec()).collect();
        assert_eq!(ordered, seen);
    }
}

#[test]
fn batches_follow_the_seed_and_nothing_else() {
    let data = numbered(50);
    let order = |rng: &mut Rng| -> Vec<u32> { data.batches(7, rng).flat_map(|(_, y)| y.ids().to_vec()).collect() };
    let (mut a, mut b) = (Rng::seed(5), Rng::seed(5));
    let first = order(&mut a);
    let mut batches = data.batches(7, &mut b);
    b.uniform(); // drawn at once: what the generator does later does not matter
    assert_eq!(batches.by_ref().flat_map(|(_, y)| y.ids().to_vec()).collect::<Vec<_>>(), first);
    assert_ne!(order(&mut a), first);
    assert_ne!(order(&mut Rng::seed(6)), first);
    assert_ne!(first, (0..50).collect::<Vec<_>>());
}

#[test]
fn every_order_is_equally_likely() {
    let (data, mut rng, mut counts) = (numbered(3), Rng::seed(1), std::collections::HashMap::new());
    for _ in 0..6000 {
        let order: Vec<u32> = data.batches(3, &mut rng).flat_map(|(_, y)| y.ids().to_vec()).collect();
        *counts.entry(order).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 6);
    assert!(counts.values().all(|n| (800..1200).contains(n)), "{counts:?}"); // 1000 +- 29 each
}

#[test]
fn accuracy_counts_the_first_of_several_largest_and_no_nan() {
    let y = Labels::new([0, 1, 2, 1], 3).unwrap();
    let share = |rows: [[f32; 3]; 4]| accuracy(&Tensor::new([4, 3], rows.concat()), &y);
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    assert_eq!(share([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.5]]), 1.0);
    assert_eq!(share([[1.0, 1.0, 1.0]; 4]), 0.25);
    assert_eq!(share([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]), 0.25);
    assert_eq!(share([[1.0, nan, 0.0], [nan, 1.0, 0.0], [nan; 3], [0.0, nan, 0.0]]), 0.0);
    assert_eq!(share([[-inf; 3], [-inf, inf, 0.0], [inf; 3], [0.0, inf, inf]]), 0.75);
    assert!(accuracy(&Tensor::<f32>::zeros([0, 3]), &Labels::new([], 3).unwrap()).is_nan());
}

// ---- IDX ------------------------------------------------------------------------------------------------------------------

fn idx(code: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, code, sizes.len() as u8];
    sizes.iter().for_each(|s| file.extend(s.to_be_bytes()));
    file.extend(data);
    file
}

fn refused(file: &[u8]) -> String {
    let e = Idx::read(file).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::BadData);
    e.to_string()
}

#[test]
fn every_element_type() -> Result<(), Error> {
    let read = |code, data: &[u8], n: u32| Idx::read(&idx(code, &[n], data)[..]).map(|f| f.tensor(2.0).data().to_vec());
    assert_eq!(read(0x08, &[0, 1, 255], 3)?, [0.0, 2.0, 510.0]);
    assert_eq!(read(0x09, &[0, 1, 255], 3)?, [0.0, 2.0, -2.0]);
    assert_eq!(read(0x0B, &[(-3i16).to_be_bytes(), 300i16.to_be_bytes()].concat(), 2)?, [-6.0, 600.0]);
    assert_eq!(read(0x0C, &[(-3i32).to_be_bytes(), 70_000i32.to_be_bytes()].concat(), 2)?, [-6.0, 140_000.0]);
    assert_eq!(read(0x0D, &[1.5f32.to_be_bytes(), f32::MIN.to_be_bytes()].concat(), 2)?, [3.0, f32::NEG_INFINITY]);
    assert_eq!(read(0x0E, &0.25f64.to_be_bytes(), 1)?, [0.5]);
    let cube = Idx::read(&idx(8, &[1, 2, 1, 2, 1, 1], &[1, 2, 3, 4])[..])?;
    assert_eq!((*cube.shape()).to_vec(), [1, 2, 1, 2, 1, 1]);
    assert_eq!(Idx::read(&idx(8, &[0, 28, 28], &[])[..])?.tensor(1.0).shape().size(), 0);
    let labels = Idx::read(&idx(8, &[3], &[7, 2, 1])[..])?;
    assert_eq!(labels.labels(10)?.ids(), [7, 2, 1]);
    assert_eq!(labels.labels(7).unwrap_err().to_string(), "Labels: entry 0 is 7, but there are 7 classes (0 to 6)");
    Ok(())
}

#[test]
fn malformed_files() {
    let good = idx(8, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    for n in 0..4 {
        assert_eq!(refused(&good[..n]), "IDX: the file ends inside the magic number");
    }
    for n in 4..12 {
        assert_eq!(refused(&good[..n]), format!("IDX: the file ends inside the size of axis {}", (n - 4) / 4));
    }
    let promise = "IDX: the header promises 6 bytes of data for shape [2, 3], but the file has";
    for n in 12..18 {
        assert_eq!(refused(&good[..n]), format!("{promise} {}", n - 12));
    }
    assert_eq!(refused(&[&good[..], &[0]].concat()), format!("{promise} more"));
    assert_eq!(refused(&[1, 0, 8, 1]), "IDX: the magic number is 0x01000801, but the first two bytes must be 0");
    assert_eq!(
        refused(&[0x1f, 0x8b, 8, 0, 1, 2, 3]),
        "IDX: the magic number is 0x1f8b0800, but the first two bytes must be 0 (this is gzip: decompress it first)"
    );
    assert_eq!(refused(&idx(0x0A, &[1], &[1])), "IDX: unknown element type 0x0a (known: 08, 09, 0b, 0c, 0d, 0e)");
    assert_eq!(refused(&idx(8, &[], &[])), "IDX: 0 axes, but 1 to 6 are supported");
    assert_eq!(refused(&idx(8, &[1; 7], &[1])), "IDX: 7 axes, but 1 to 6 are supported");
    assert_eq!(refused(&[0, 0, 8, 255]), "IDX: 255 axes, but 1 to 6 are supported");
    let large = "IDX: shape [4294967295, 4294967295, 4294967295] is larger than memory can be";
    assert_eq!(refused(&idx(8, &[u32::MAX; 3], &[1])), large);
    // The elements fit, their bytes do not; and a size of 0 does not hide the others.
    assert!(refused(&idx(0x0E, &[1 << 31, 1 << 31], &[1])).ends_with("is larger than memory can be"));
    assert!(refused(&idx(8, &[0, u32::MAX, u32::MAX, u32::MAX], &[])).ends_with("is larger than memory can be"));
    let wide = Idx::read(&idx(8, &[1, 2], &[1, 2])[..]).unwrap();
    assert_eq!(
        wide.labels(9).unwrap_err().to_string(),
        "IDX: labels must be bytes along one axis, not U8 of shape [1, 2]"
    );
    let signed = Idx::read(&idx(9, &[2], &[1, 2])[..]).unwrap();
    assert_eq!(
        signed.labels(9).unwrap_err().to_string(),
        "IDX: labels must be bytes along one axis, not I8 of shape [2]"
    );
}

/// Gives some bytes, in small pieces, then fails.
struct Fails<'a>(&'a [u8]);
impl Read for Fails<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::other("the disk is on fire"));
        }
        let n = out.len().min(3).min(self.0.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn a_reader_that_fails_midway() {
    let good = idx(8, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    for n in 0..=18 {
        let e = Idx::read(Fails(&good[..n])).unwrap_err();
        let place = match n {
            0..4 => "the magic number".to_owned(),
            4..12 => format!("the size of axis {}", (n - 4) / 4),
            _ => "the data".to_owned(), // also at its end: there might be more
        };
        assert_eq!((e.kind(), e.to_string()), (ErrorKind::Io, format!("IDX: reading {place}: the disk is on fire")));
        assert!(std::error::Error::source(&e).is_some());
    }
}

fn cases() -> u32 {
    if std::env::var_os("CHAINRULE_DEEP").is_some() { 200_000 } else { 2000 }
}

/// Whatever the bytes are: an error, or an array that fits them exactly.
fn never_panics(file: &[u8]) {
    let Ok(array) = Idx::read(file) else { return };
    assert_eq!(array.tensor(1.0).shape(), array.shape());
    let _ = array.labels(10);
    assert!(file.len() >= 4 + 4 * array.shape().rank() + array.shape().size());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn random_bytes(file in prop::collection::vec(any::<u8>(), 0..64)) {
        never_panics(&file);
    }

    #[test]
    fn random_bytes_after_a_good_beginning(
        code in 7u8..16, axes in 0u8..9, sizes in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..40),
    ) {
        never_panics(&[&[0, 0, code, axes][..], &sizes].concat());
    }

    #[test]
    fn mutated_files(
        code in prop::sample::select(vec![8u8, 9, 11, 12, 13, 14]), sizes in prop::collection::vec(0u32..4, 1..7),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), cut in 0usize..6, more in 0usize..3,
    ) {
        let bytes = match code { 8 | 9 => 1, 11 => 2, 14 => 8, _ => 4 };
        let n = sizes.iter().product::<u32>() as usize * bytes;
        let mut file = idx(code, &sizes, &vec![7; n]);
        let whole = file.clone();
        prop_assert!(Idx::read(&whole[..]).is_ok());
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file.truncate(whole.len() - cut.min(whole.len()));
        file.extend(vec![0; more]);
        never_panics(&file);
    }
}
