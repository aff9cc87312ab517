//! Changes of files, of the kinds that make other files of a format.

/// Longest input: large enough for every structure, small enough for many runs.
const LONGEST: usize = 16 << 10;

/// An input made of one or two of the pool.
pub(crate) fn mutate(pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pool[random.below(pool.len())].clone();
    for _ in 0..1 << random.below(5) {
        let at = random.below(input.len() + 1);
        let some = at..(at + 1 + random.mostly_small(9)).min(input.len()).max(at);
        match random.below(10) {
            0 | 1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 if at < input.len() => input[at] = random.below(256) as u8,
            3 => drop(input.drain(some)),
            4 => {
                let copy = input[some].to_vec();
                let to = random.below(input.len() + 1);
                drop(input.splice(to..to, copy));
            }
            5 => {
                let copy = input[some].repeat(1 + random.mostly_small(8));
                drop(input.splice(at..at, copy));
            }
            6 => {
                let other = &pool[random.below(pool.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(64)).min(other.len());
                drop(input.splice(some, other[from..to].iter().copied()));
            }
            7 => {
                let number =
                    NUMBERS[random.below(NUMBERS.len())].wrapping_add(random.below(3) as u64);
                let (little, big) = (number.to_le_bytes(), number.to_be_bytes());
                let bytes = 1 << random.below(4);
                let new = [&little[..bytes], &big[8 - bytes..]][random.below(2)];
                let end = (at + bytes).min(input.len());
                drop(input.splice(at..end, new.iter().copied()));
            }
            8 => input.truncate(at),
            _ => {
                let token = TOKENS[random.below(TOKENS.len())];
                let end = [at, (at + token.len()).min(input.len())][random.below(2)];
                drop(input.splice(at..end, token.iter().copied()));
            }
        }
        input.truncate(LONGEST);
    }
    input
}

/// Numbers at which something changes.
const NUMBERS: [u64; 14] = [
    0,
    1,
    3,
    0x7e,
    0xfe,
    0x7ffe,
    0xfffe,
    0x7fff_fffe,
    0xffff_fffe,
    1 << 40,
    1 << 60,
    (1 << 63) - 2,
    1 << 63,
    u64::MAX - 1,
];

/// Pieces of the formats that chance does not find.
const TOKENS: [&[u8]; 44] = [
    b"{\"\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,0]}}",
    b"\"shape\":[1,",
    b"\"__metadata__\":{",
    b"18446744073709551615",
    b"1e9",
    b"-1",
    b"\"BF16\"",
    b"[",
    b"{",
    b",",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_tensor_v3\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch._tensor\n_rebuild_from_type_v2\n",
    b"ccollections\nOrderedDict\n",
    b"ctorch\nSize\n",
    b"ctorch\nHalfStorage\n",
    b"ctorch.storage\nUntypedStorage\n",
    b"ctorch\nfloat64\n",
    b"X\x07\0\0\0storage",
    b"tQ",
    b"tR",
    b")R",
    b"]q\0h\0a",
    b"}(",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8a\x08\0\0\0\0\0\0\0\x10",
    b"\x8a\x01\xff",
    b"\x85",
    b"\x86",
    b"\x87",
    b"\x81",
    b"\x92",
    b"b",
    b"u",
    b"e",
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"\xb9__msgpack_chunked_array__\xc3",
    b"\xc7\x11\x01\x93\x91\x01\xa7float32\xc4\x04\0\0\0\0",
    b"\xa7float16",
];

/// Numbers without a pattern, the same for the same seed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    /// Below 2 to the number of bits, half of the time below the root of that.
    fn mostly_small(&mut self, bits: usize) -> usize {
        let end = 1 << self.below(bits);
        self.below(end)
    }
}
