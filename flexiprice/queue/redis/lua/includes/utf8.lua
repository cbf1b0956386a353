-- Whether a text is UTF-8, as strict as Python's decoder.

local function is_utf8(text)
  if not string.find(text, '[\128-\255]') then
    return true
  end
  local i, length = 1, #text
  local function continues(from, count, low, high)
    for j = 1, count do
      local byte = string.byte(text, from + j)
      if not byte or byte < (j == 1 and low or 128) or byte > (j == 1 and high or 191) then
        return false
      end
    end
    return true
  end
  while i <= length do
    local byte = string.byte(text, i)
    local more, low, high = 0, 128, 191
    if byte >= 194 and byte <= 223 then
      more = 1
    elseif byte >= 224 and byte <= 239 then
      more, low, high = 2, byte == 224 and 160 or 128, byte == 237 and 159 or 191
    elseif byte >= 240 and byte <= 244 then
      more, low, high = 3, byte == 240 and 144 or 128, byte == 244 and 143 or 191
    elseif byte >= 128 then
      return false
    end
    if not continues(i, more, low, high) then
      return false
    end
    i = i + more + 1
  end
  return true
end
