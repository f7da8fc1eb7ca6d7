use super::*;
use proptest::prelude::*;

fn header(descr: &str, fortran: &str, shape: &str) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}

#[test]
fn either_byte_order_and_either_order_of_indices_is_read() {
    let mut bytes = header(">i2", "True", "(2, 3)");
    // Columns first: (0,0) (1,0) (0,1) (1,1) (0,2) (1,2)
    for value in [1_i16, 4, 2, 5, 3, 6] {
        bytes.extend(value.to_be_bytes());
    }
    let array = read_npy(&bytes).unwrap();
    assert_eq!(array.shape(), [2, 3]);
    assert_eq!(
        array.values().collect::<Vec<_>>(),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
}

#[test]
fn what_is_no_array_is_refused() {
    let cases: [(Vec<u8>, &str); 5] = [
        (b"PK".to_vec(), "it does not begin as one"),
        (b"\x93NUMPY\x07\x00".to_vec(), "its version is 7"),
        (b"\x93NUMPY\x01\x00\xff\x00".to_vec(), "it is cut off"),
        (header("|O", "False", "(1,)"), "its header cannot be read"),
        (header("<f4", "False", "(2,)"), "0 bytes are not what"),
    ];
    for (bytes, expected) in cases {
        let error = read_npy(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn tables_are_read_with_and_without_names() {
    let table = read_csv("a,b\n1,2.5\n,-3e2\n").unwrap();
    assert_eq!(table.shape(), [2, 2]);
    let values: Vec<_> = table.values().collect();
    assert_eq!(values[..2], [1.0, 2.5]);
    assert!(values[2].is_nan());
    assert_eq!(values[3], -300.0);
    let refused = [
        ("1,x\n", "line 1, column 2 of the table: \"x\" is no number"),
        (
            "1,2\n3\n",
            "line 2 of the table has 1 columns where the first has 2",
        ),
        ("\n", "the table is empty"),
    ];
    for (text, expected) in refused {
        assert_eq!(read_csv(text).unwrap_err().to_string(), expected);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        which in 0..Element::ALL.len(),
        shape in proptest::collection::vec(0_usize..4, 0..4),
        seed in any::<u64>(),
    ) {
        let element = Element::ALL[which];
        let count: usize = shape.iter().product();
        let bytes: Vec<u8> = (0..count * element.size())
            .map(|at| (seed.rotate_left(at as u32 % 64) % 2) as u8)
            .collect();
        let array = Array::new(element, shape, bytes).unwrap();
        let written = write_npy(&array);
        prop_assert_eq!(written.len() % 64, array.bytes().len() % 64);
        prop_assert_eq!(read_npy(&written).unwrap(), array);
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(&bytes);
        let _ = read_npy(&file);
        let _ = read_npz(&bytes);
        let _ = read_csv(&String::from_utf8_lossy(&bytes));
    }
}
