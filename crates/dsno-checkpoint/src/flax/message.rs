//! Single values of MessagePack: their kinds, lengths and texts.

use rmp::Marker;

use super::Reader;
use crate::parse_error::ParseError;
use crate::stored::LONGEST_NAME;

impl Reader<'_> {
    pub(super) fn marker(&mut self) -> Result<Marker, ParseError> {
        Ok(Marker::from_u8(self.input.byte()?))
    }

    /// A length of an axis.
    pub(super) fn length(&mut self) -> Result<usize, ParseError> {
        let at = self.input.at();
        let length = match self.marker()? {
            Marker::FixPos(length) => Some(length.into()),
            Marker::U8 => Some(self.input.byte()?.into()),
            Marker::U16 => Some(u16::from_be_bytes(self.input.array()?).into()),
            Marker::U32 => Some(u32::from_be_bytes(self.input.array()?).into()),
            Marker::U64 => Some(u64::from_be_bytes(self.input.array()?)),
            _ => None,
        };
        let expected = "the length of an axis";
        let length = length.and_then(|length| usize::try_from(length).ok());
        length.ok_or(ParseError::MessagePack { at, expected })
    }

    /// A key or the name of a type; freed again, so never longer than a name.
    pub(super) fn text(&mut self) -> Result<String, ParseError> {
        let at = self.input.at();
        let length = match self.marker()? {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 => self.input.byte()?.into(),
            Marker::Str16 => u16::from_be_bytes(self.input.array()?).into(),
            Marker::Str32 => u32::from_be_bytes(self.input.array()?),
            _ => {
                let expected = "a text";
                return Err(ParseError::MessagePack { at, expected });
            }
        };
        if length as usize > LONGEST_NAME {
            return Err(ParseError::NameTooLong {
                allowed: LONGEST_NAME,
            });
        }
        let mut bytes = vec![0; length as usize];
        self.input.fill(&mut bytes)?;
        String::from_utf8(bytes)
            .ok()
            .ok_or(ParseError::NotText { at })
    }

    pub(super) fn map_length(&mut self, marker: Marker) -> Result<Option<u64>, ParseError> {
        Ok(Some(match marker {
            Marker::FixMap(entries) => entries.into(),
            Marker::Map16 => u16::from_be_bytes(self.input.array()?).into(),
            Marker::Map32 => u32::from_be_bytes(self.input.array()?).into(),
            _ => return Ok(None),
        }))
    }

    pub(super) fn array_length(&mut self, marker: Marker) -> Result<Option<u64>, ParseError> {
        Ok(Some(match marker {
            Marker::FixArray(values) => values.into(),
            Marker::Array16 => u16::from_be_bytes(self.input.array()?).into(),
            Marker::Array32 => u32::from_be_bytes(self.input.array()?).into(),
            _ => return Ok(None),
        }))
    }

    pub(super) fn bytes_length(&mut self, marker: Marker) -> Result<Option<u64>, ParseError> {
        Ok(Some(match marker {
            Marker::Bin8 => self.input.byte()?.into(),
            Marker::Bin16 => u16::from_be_bytes(self.input.array()?).into(),
            Marker::Bin32 => u32::from_be_bytes(self.input.array()?).into(),
            _ => return Ok(None),
        }))
    }

    /// Kind and length of an extension.
    pub(super) fn extension(&mut self, marker: Marker) -> Result<Option<(i8, u64)>, ParseError> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.input.byte()?.into(),
            Marker::Ext16 => u16::from_be_bytes(self.input.array()?).into(),
            Marker::Ext32 => u32::from_be_bytes(self.input.array()?).into(),
            _ => return Ok(None),
        };
        Ok(Some((i8::from_le_bytes(self.input.array()?), length)))
    }

    /// Numbers, texts, bytes and nothing.
    pub(super) fn pass_over(&mut self, marker: Marker) -> Result<(), ParseError> {
        let length = match marker {
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
                0
            }
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 => 2,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixStr(length) => length.into(),
            Marker::Str8 | Marker::Bin8 => self.input.byte()?.into(),
            Marker::Str16 | Marker::Bin16 => u16::from_be_bytes(self.input.array()?).into(),
            Marker::Str32 | Marker::Bin32 => u32::from_be_bytes(self.input.array()?).into(),
            _ => {
                let at = self.input.at() - 1;
                let expected = "a value";
                return Err(ParseError::MessagePack { at, expected });
            }
        };
        self.input.jump(length, self.source)
    }
}
